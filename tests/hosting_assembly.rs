//! Assemblies from memory and from a folder, as streams; and what missing, huge and hostile ones get.

mod common;
#[macro_use]
mod hosting;

use std::ffi::c_void;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{LONG, Watchdog, eventually};
use fiberhost::com::table::{
    AssemblyBindInfo, IID_IHostAssemblyManager, IID_IStream, ModuleBindInfo, STATSTG,
};
use fiberhost::com::{
    Guid, Hresult, IID_ISequentialStream, STREAM_SEEK_CUR, STREAM_SEEK_END, STREAM_SEEK_SET,
};
use fiberhost::{Assemblies, TaskMode};
use hosting::fake::Recorder;
use hosting::{Bench, OWN_OBJECTS, Object, builder, given};

const MISSING: Hresult = Hresult::COR_E_FILENOTFOUND;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fiberhost-assemblies-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(path.join("de")).expect("a folder");
        Folder(path)
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.0.join(name), content).expect("a file");
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("it goes");
    }
}

struct Room {
    bench: Bench,
    manager: Object,
    store: Object,
}

/// Runs a test with such a store, from a plain thread and from tasks.
#[track_caller]
fn with_store(
    assemblies: &Assemblies,
    test: impl Fn(&'static Room) + Send + Sync + Copy + 'static,
) {
    for mode in [TaskMode::Fiber, TaskMode::Thread] {
        let _watchdog = Watchdog::new(format!("{} {mode:?}", std::panic::Location::caller()));
        let builder = builder(2).tasks(mode).assemblies(assemblies.clone());
        let bench = Bench::new(builder);
        let iid = IID_IHostAssemblyManager;
        let manager = given(|out| {
            let iid = &raw const iid;
            com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
        });
        let store = given(|out| com!(manager, IHostAssemblyManagerVtbl, GetAssemblyStore, out));
        let room = Room {
            bench,
            manager,
            store,
        };
        // SAFETY: whoever gets it has ended when the host has.
        let room_for_test: &'static Room = unsafe { &*std::ptr::from_ref(&room) };
        test(room_for_test);
        room.bench.run(move || test(room_for_test));
        assert_eq!(room.store.release(), 0);
        room.manager.release();
        let host = &room.bench.host;
        host.shutdown(LONG).expect("nothing is left to wait for");
        eventually("only the host's own objects are left", || {
            host.figures().objects == OWN_OBJECTS + 1
        });
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// What a store has given.
struct Provided {
    id: u64,
    image: Stream,
    symbols: Option<Stream>,
}

impl Room {
    fn ask(&self, identity: *const u16) -> Result<Provided, Hresult> {
        let mut info = AssemblyBindInfo {
            dwAppDomainId: 1,
            lpReferencedIdentity: std::ptr::null(),
            lpPostPolicyIdentity: identity,
            ePolicyLevel: 0,
        };
        let (mut id, mut context) = (7_u64, 7_u64);
        let [mut image, mut symbols]: [*mut c_void; 2] = [std::ptr::dangling_mut(); 2];
        let answer = com!(
            self.store,
            IHostAssemblyStoreVtbl,
            ProvideAssembly,
            &raw mut info,
            &raw mut id,
            &raw mut context,
            &raw mut image,
            &raw mut symbols
        );
        self.provided(answer, id, image, symbols, context)
    }

    fn provided(
        &self,
        answer: Hresult,
        id: u64,
        image: *mut c_void,
        symbols: *mut c_void,
        context: u64,
    ) -> Result<Provided, Hresult> {
        assert_eq!(context, 0);
        if let Err(error) = answer.ok() {
            assert_eq!((id, image.is_null(), symbols.is_null()), (0, true, true));
            return Err(error);
        }
        assert!(!image.is_null());
        Ok(Provided {
            id,
            image: Stream(Object::new(image)),
            symbols: (!symbols.is_null()).then(|| Stream(Object::new(symbols))),
        })
    }

    fn assembly(&self, identity: &str) -> Result<Provided, Hresult> {
        self.ask(wide(identity).as_ptr())
    }

    fn module(&self, identity: &str, module: &str) -> Result<Provided, Hresult> {
        let (identity, module) = (wide(identity), wide(module));
        let mut info = ModuleBindInfo {
            dwAppDomainId: 1,
            lpAssemblyIdentity: identity.as_ptr(),
            lpModuleName: module.as_ptr(),
        };
        let mut id = 7_u32;
        let [mut image, mut symbols]: [*mut c_void; 2] = [std::ptr::dangling_mut(); 2];
        let answer = com!(
            self.store,
            IHostAssemblyStoreVtbl,
            ProvideModule,
            &raw mut info,
            &raw mut id,
            &raw mut image,
            &raw mut symbols
        );
        self.provided(answer, id.into(), image, symbols, 0)
    }

    #[track_caller]
    fn holds(&self, identity: &str, content: &[u8]) -> u64 {
        let provided = self.assembly(identity).expect("it is there");
        assert_eq!(provided.image.all(), content);
        provided.id
    }

    #[track_caller]
    fn lacks(&self, identity: &str) {
        let error = self.assembly(identity).err();
        assert_eq!(error, Some(MISSING), "{identity:?}");
    }
}

/// A stream of the host's, and its reference.
struct Stream(Object);

impl Drop for Stream {
    fn drop(&mut self) {
        assert_eq!(self.0.release(), 0, "nobody else has it");
    }
}

impl Stream {
    fn read(&self, count: u32) -> Vec<u8> {
        let mut buffer = vec![0xee; count as usize + 1];
        let mut read = 7;
        let place = buffer.as_mut_ptr().cast();
        let answer = com!(self.0, IStreamVtbl, Read, place, count, &raw mut read);
        assert_eq!(answer, Hresult::S_OK);
        assert!(buffer[read as usize..].iter().all(|byte| *byte == 0xee));
        buffer.truncate(read as usize);
        buffer
    }

    fn all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            // In pieces of an odd size.
            let piece = self.read(1000);
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }

    fn seek(&self, distance: i64, origin: u32) -> Result<u64, Hresult> {
        let mut position = 7;
        let place = &raw mut position;
        let answer = com!(self.0, IStreamVtbl, Seek, distance, origin, place);
        answer.ok().map(|()| position)
    }

    fn stat(&self) -> STATSTG {
        // SAFETY: all bits are a value of it.
        let mut known: STATSTG = unsafe { std::mem::transmute([0x5a_u8; size_of::<STATSTG>()]) };
        let answer = com!(self.0, IStreamVtbl, Stat, &raw mut known, 1);
        assert_eq!(answer, Hresult::S_OK);
        known
    }
}

fn image(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 3) as u8).collect()
}

#[test]
fn assemblies_come_from_memory_and_from_a_folder() {
    let folder = Folder::new();
    folder.write("a.dll", &image(5000));
    folder.write("a.pdb", b"symbols");
    folder.write("b.exe", b"program");
    folder.write("de/c.resources.dll", b"deutsch");
    folder.write("part.netmodule", b"module");
    let symbols: Arc<[u8]> = Arc::from(&b"of memory"[..]);
    let assemblies = Assemblies::new()
        .folder(folder.path())
        .expect("a folder")
        .add("m, Version=1.0.0.0", image(4000), Some(symbols))
        .and_then(|all| all.add("m, Version=2.0.0.0", image(10), None))
        .and_then(|all| all.add_module("m", "x.netmodule", image(7)))
        .and_then(|all| all.add("b", &b"first"[..], None))
        .expect("identities");
    with_store(&assemblies, |room| {
        let provided = room
            .assembly("a, Version=9.0.0.0, Culture=neutral")
            .expect("there");
        assert_eq!(provided.image.all(), image(5000));
        assert_eq!(provided.symbols.expect("there are some").all(), b"symbols");
        let a = room.holds("a", &image(5000));
        assert_eq!(a, provided.id, "the same image");
        let first = room.holds("m, Version=1.0.0.0", &image(4000));
        let second = room.holds("M, version=2.0.0.0, PublicKeyToken=null", &image(10));
        assert_ne!(first, second);
        assert_eq!(room.holds("m", &image(4000)), first);
        room.lacks("m, Version=3.0.0.0");
        room.holds("b", b"first");
        let german = room.holds("c.resources, Culture=de", b"deutsch");
        room.lacks("c.resources");
        room.lacks("c.resources, Culture=fr");
        let module = room.module("m", "x.netmodule").expect("it is there");
        assert_eq!(module.image.all(), image(7));
        let other = room.module("a", "part.netmodule").expect("it is there");
        assert_eq!(other.image.all(), b"module");
        let ids = [a, first, second, german, module.id, other.id];
        for (at, id) in ids.iter().enumerate() {
            assert!(*id > 0 && !ids[..at].contains(id), "{ids:?}");
        }
    });
}

/// The answer for an identity stays what it was, whatever becomes of the file.
#[test]
fn what_was_given_once_is_given_again() {
    let folder = Folder::new();
    folder.write("a.dll", b"before");
    let assemblies = Assemblies::new().folder(folder.path()).expect("a folder");
    let bench = Bench::new(builder(1).assemblies(assemblies));
    let iid = IID_IHostAssemblyManager;
    let manager = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    let store = given(|out| com!(manager, IHostAssemblyManagerVtbl, GetAssemblyStore, out));
    let room = Room {
        bench,
        manager,
        store,
    };
    let id = room.holds("a", b"before");
    std::fs::remove_file(folder.path().join("a.dll")).expect("it can go");
    assert_eq!(room.holds("a", b"before"), id);
    folder.write("a.dll", b"afterwards");
    assert_eq!(room.holds("a", b"before"), id);
    // Another store of the same host gives the same.
    let again = given(|out| com!(manager, IHostAssemblyManagerVtbl, GetAssemblyStore, out));
    let (first, second) = (room.store, again);
    let room = Room {
        store: second,
        ..room
    };
    assert_eq!(room.holds("a", b"before"), id);
    assert_eq!((first.release(), second.release()), (0, 0));
    room.manager.release();
    room.bench.host.shutdown(LONG).expect("nothing is left");
}

/// Names that lead out of the folder, links that do, and what is no file.
#[test]
fn nothing_outside_the_folder_is_given() {
    let outside = Folder::new();
    outside.write("secret.dll", b"secret");
    let folder = Folder::new();
    folder.write("a.dll", b"inside");
    let path = folder.path();
    let secret = outside.path().join("secret.dll");
    symlink(&secret, path.join("absolute.dll")).expect("a link");
    let up = format!(
        "../{}/secret.dll",
        outside.path().file_name().expect("a name").display()
    );
    symlink(&up, path.join("relative.dll")).expect("a link");
    symlink(outside.path(), path.join("out")).expect("a link");
    symlink("a.dll", path.join("link.dll")).expect("a link");
    symlink("loop.dll", path.join("loop.dll")).expect("a link");
    symlink(&secret, path.join("mine.pdb")).expect("a link");
    folder.write("mine.dll", b"mine");
    std::fs::create_dir(path.join("folder.dll")).expect("a folder");
    let pipe = std::ffi::CString::new(path.join("pipe.dll").display().to_string());
    // SAFETY: the name ends with a zero.
    assert_eq!(
        unsafe { libc::mkfifo(pipe.expect("a name").as_ptr(), 0o600) },
        0
    );
    let assemblies = Assemblies::new().folder(path).expect("a folder");
    with_store(&assemblies, |room| {
        room.holds("a", b"inside");
        room.holds("link", b"inside");
        let mine = room.assembly("mine").expect("it is there");
        assert_eq!(mine.image.all(), b"mine");
        assert!(mine.symbols.is_none(), "they are elsewhere");
        for identity in [
            "absolute",
            "relative",
            "loop",
            "folder",
            "pipe",
            "missing",
            "",
            " ",
            ".",
            "..",
            "../secret",
            "..\\secret",
            "/etc/passwd",
            "out/secret",
            "./a",
            "a/../a",
            "C:a",
            "a\u{1}",
            "a, Version",
            "secret, Culture=..",
            "secret, Culture=out",
            "a, Culture=../x",
            "a, Culture=/etc",
            "a.dll/..",
        ] {
            room.lacks(identity);
        }
        for module in [
            "../secret.dll",
            "/etc/passwd",
            "out/secret.dll",
            "..",
            "",
            "absolute.dll",
        ] {
            assert_eq!(room.module("a", module).err(), Some(MISSING), "{module:?}");
        }
        room.lacks(&"a".repeat(10_000));
        // Longer than any text, not UTF-16, or none.
        let long = wide(&"a".repeat(40_000));
        assert_eq!(room.ask(long.as_ptr()).err(), Some(Hresult::E_INVALIDARG));
        let broken = [0xd800, u16::from(b'a'), 0];
        assert_eq!(room.ask(broken.as_ptr()).err(), Some(Hresult::E_INVALIDARG));
        assert_eq!(
            room.ask(std::ptr::null()).err(),
            Some(Hresult::E_INVALIDARG)
        );
        let misaligned = long.as_ptr().wrapping_byte_add(1);
        assert_eq!(room.ask(misaligned).err(), Some(Hresult::E_INVALIDARG));
    });
    assert!(Assemblies::new().folder(path.join("a.dll")).is_err());
    assert!(Assemblies::new().folder(path.join("nowhere")).is_err());
    assert!(Assemblies::new().add("../a", image(1), None).is_err());
    assert!(Assemblies::new().add_module("a", "x/y", image(1)).is_err());
}

/// A file that is larger than all memory is given as it is: nothing is read that nobody asks for.
#[test]
fn a_huge_file_is_given_piece_by_piece() {
    const SIZE: u64 = 1 << 42;
    let folder = Folder::new();
    let file = std::fs::File::create(folder.path().join("huge.dll")).expect("a file");
    // Where the file system takes no file of this size there is nothing to see.
    let size = match file.set_len(SIZE) {
        Ok(()) => SIZE,
        Err(_) => {
            file.set_len(1 << 33).expect("a large file");
            1 << 33
        }
    };
    let assemblies = Assemblies::new().folder(folder.path()).expect("a folder");
    with_store(&assemblies, |room| {
        let huge = room.assembly("huge").expect("it is there").image;
        let size = huge.stat().cbSize;
        assert_eq!(huge.seek(-3, STREAM_SEEK_END), Ok(size - 3));
        assert_eq!(huge.read(100), [0; 3]);
        assert_eq!(huge.read(100), []);
    });
    assert!(size >= 1 << 33);
}

#[test]
fn a_stream_is_read_from_its_place_on() {
    let folder = Folder::new();
    folder.write("file.dll", &image(3000));
    let assemblies = Assemblies::new()
        .folder(folder.path())
        .and_then(|all| all.add("memory", image(3000), None))
        .expect("a folder and an identity");
    with_store(&assemblies, |room| {
        for name in ["file", "memory"] {
            let stream = room.assembly(name).expect("it is there").image;
            assert_eq!(stream.read(5), image(5));
            assert_eq!(stream.seek(10, STREAM_SEEK_CUR), Ok(15));
            let copy = Stream(given(|out| com!(stream.0, IStreamVtbl, Clone, out)));
            assert_eq!(copy.read(5), image(20)[15..]);
            assert_eq!(
                stream.seek(0, STREAM_SEEK_CUR),
                Ok(15),
                "a place of its own"
            );
            assert_eq!(
                stream.seek(-1, STREAM_SEEK_SET),
                Err(Hresult::STG_E_SEEKERROR)
            );
            assert_eq!(
                stream.seek(-16, STREAM_SEEK_CUR),
                Err(Hresult::STG_E_SEEKERROR)
            );
            assert_eq!(stream.seek(0, 3), Err(Hresult::STG_E_INVALIDFUNCTION));
            assert_eq!(
                stream.seek(0, STREAM_SEEK_CUR),
                Ok(15),
                "nothing has changed"
            );
            // Beyond the end there is nothing.
            assert_eq!(stream.seek(i64::MAX, STREAM_SEEK_SET), Ok(i64::MAX as u64));
            assert_eq!(stream.read(10), []);
            assert_eq!(stream.seek(-1, STREAM_SEEK_END), Ok(2999));
            assert_eq!(stream.read(10), image(3000)[2999..]);
            let known = stream.stat();
            assert_eq!((known.cbSize, known.r#type), (3000, 2));
            assert!(known.pwcsName.is_null());
            // It is not to be written to.
            let mut written = 7;
            let byte = c"a".as_ptr().cast_mut().cast();
            let answer = com!(stream.0, IStreamVtbl, Write, byte, 1, &raw mut written);
            assert_eq!((answer, written), (Hresult::STG_E_ACCESSDENIED, 0));
            assert_eq!(
                com!(stream.0, IStreamVtbl, SetSize, 1),
                Hresult::STG_E_ACCESSDENIED
            );
            assert_eq!(com!(stream.0, IStreamVtbl, Commit, 0), Hresult::S_OK);
            assert_eq!(com!(stream.0, IStreamVtbl, Revert), Hresult::S_OK);
            let no = Hresult::STG_E_INVALIDFUNCTION;
            assert_eq!(com!(stream.0, IStreamVtbl, LockRegion, 0, 1, 0), no);
            assert_eq!(com!(stream.0, IStreamVtbl, UnlockRegion, 0, 1, 0), no);
            // It is what it says it is, and the stream that it begins with.
            let ask = |iid: Guid| {
                let mut found = std::ptr::null_mut();
                let (iid, place) = (&raw const iid, &raw mut found);
                let answer = com!(stream.0, IUnknownVtbl, QueryInterface, iid, place);
                if !found.is_null() {
                    assert_eq!(Object::new(found), stream.0);
                    stream.0.release();
                }
                answer
            };
            assert_eq!(ask(IID_IStream), Hresult::S_OK);
            assert_eq!(ask(IID_ISequentialStream), Hresult::S_OK);
            assert_eq!(ask(IID_IHostAssemblyManager), Hresult::E_NOINTERFACE);
        }
    });
}

/// Into a stream of the runtime's, which takes what it likes.
#[test]
fn a_stream_is_copied_to_another() {
    let folder = Folder::new();
    folder.write("file.dll", &image(200_000));
    let assemblies = Assemblies::new()
        .folder(folder.path())
        .and_then(|all| all.add("memory", image(200_000), None))
        .expect("a folder and an identity");
    with_store(&assemblies, |room| {
        for name in ["file", "memory"] {
            let stream = room.assembly(name).expect("it is there").image;
            let taken = Arc::new(AtomicU32::new(0));
            let seen = Arc::clone(&taken);
            let target = Recorder::new(move |slot, words| {
                assert_eq!(slot, 4, "Write");
                let (count, place) = (words[1] as u32, words[2]);
                // After a while it takes no more.
                let room = 150_000 - seen.load(Ordering::Relaxed);
                let count = count.min(room);
                seen.fetch_add(count, Ordering::Relaxed);
                // SAFETY: as the interface says.
                unsafe { std::ptr::with_exposed_provenance_mut::<u32>(place).write(count) };
                Hresult::S_OK
            });
            let copy = |stream: &Stream, target: *mut c_void, count: u64| {
                let (mut read, mut written) = (7, 7);
                let places = (&raw mut read, &raw mut written);
                let answer = com!(
                    stream.0,
                    IStreamVtbl,
                    CopyTo,
                    target,
                    count,
                    places.0,
                    places.1
                );
                (answer, read, written)
            };
            let pointer = target.object().get();
            assert_eq!(copy(&stream, pointer, 100), (Hresult::S_OK, 100, 100));
            assert_eq!(
                copy(&stream, pointer, u64::MAX),
                (Hresult::S_OK, 149_900, 149_900)
            );
            assert_eq!(stream.seek(0, STREAM_SEEK_CUR), Ok(150_000));
            assert_eq!(taken.load(Ordering::Relaxed), 150_000);
            // Not to one of ours, which cannot be written to anyhow.
            let other = room.assembly(name).expect("it is there").image;
            let refused = copy(&stream, other.0.get(), 1);
            assert_eq!(refused, (Hresult::E_INVALIDARG, 0, 0));
            let refused = copy(&stream, std::ptr::null_mut(), 1);
            assert_eq!(refused, (Hresult::E_POINTER, 0, 0));
            assert_eq!(target.references(), 1);
        }
    });
}

#[test]
fn the_list_of_what_the_runtime_loads_itself_is_given_as_it_came() {
    use fiberhost::com::clr::{ClrInterface, ICLRAssemblyReferenceList, Wide};
    use std::ptr::NonNull;

    let _watchdog = Watchdog::new("the_list".to_owned());
    let recorder = Recorder::new(|slot, _| match slot {
        3 => Hresult::S_FALSE,
        _ => Hresult::E_FAIL,
    });
    let list = |assemblies: Assemblies| {
        let bench = Bench::new(builder(1).assemblies(assemblies));
        let iid = IID_IHostAssemblyManager;
        let manager = given(|out| {
            let iid = &raw const iid;
            com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
        });
        let mut list = std::ptr::dangling_mut();
        let place = &raw mut list;
        let answer = com!(
            manager,
            IHostAssemblyManagerVtbl,
            GetNonHostStoreAssemblies,
            place
        );
        assert_eq!(answer, Hresult::S_OK);
        manager.release();
        bench.host.shutdown(LONG).expect("nothing is left");
        list
    };
    assert!(list(Assemblies::new()).is_null());
    com!(recorder.object(), IUnknownVtbl, AddRef);
    let pointer = NonNull::new(recorder.object().get()).expect("an object");
    // SAFETY: the object takes every call of such an interface, and the reference is for the handle.
    let handle = unsafe { ICLRAssemblyReferenceList::from_owned(pointer) };
    assert_eq!(handle.contains(&Wide::from("mscorlib")), Ok(false));
    let given_list = list(Assemblies::new().loaded_by_runtime(handle));
    assert_eq!(given_list, recorder.object().get());
    recorder.object().release();
    assert_eq!(recorder.references(), 1, "nothing of the host's is left");
}
