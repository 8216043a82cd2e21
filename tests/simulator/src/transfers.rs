//! The runtime's side of transfers: descriptors, structures and buffers by name, and what it is told of their ends.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, Weak};

use fiberhost::com::table::{ICLRIoCompletionManagerVtbl, OVERLAPPED};
use fiberhost::com::{Address, Direction, Handle, Hresult, Transfer};

use crate::call::{Answer, World, number, state, valued};
use crate::object::com;
use crate::runtime::{add_ref, query, release};
use crate::slots::told;

/// Its table; the object is one of the runtime's heads.
pub static IO: ICLRIoCompletionManagerVtbl = ICLRIoCompletionManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    OnComplete: on_complete,
};

/// The world of the script that runs: to see in which state the runtime is told something.
static WORLD: Mutex<Weak<World>> = Mutex::new(Weak::new());

/// A structure with the host's bytes behind it and a buffer; its number is kept in the structure.
#[repr(C, align(8))]
struct Block {
    overlapped: OVERLAPPED,
    host: [u64; 4],
    buffer: [u8; 64],
}

/// What a script has by name. Structures live as long as the process.
#[derive(Default)]
pub struct Files {
    pipes: BTreeMap<String, (PipeReader, Option<PipeWriter>)>,
    ports: BTreeMap<String, usize>,
    blocks: BTreeMap<String, usize>,
}

/// What the runtime is told from here on is told of this world.
pub fn look_at(world: Weak<World>) {
    *WORLD.lock().unwrap() = world;
}

/// `OnComplete` with the error, the bytes and the structure's number, and the state in which that came: 0 for the base.
unsafe extern "system" fn on_complete(
    _: *mut c_void,
    error: u32,
    bytes: u32,
    overlapped: *mut c_void,
) -> Hresult {
    // SAFETY: it is the structure of a block below.
    let name = unsafe { (*overlapped.cast::<OVERLAPPED>()).hEvent.addr() };
    let at_base = {
        let world = WORLD.lock().unwrap().upgrade();
        // After the end of a script there is nothing to look at.
        world.is_none_or(|world| state(&world) == ('B', 0))
    };
    let arguments = [
        error.into(),
        bytes.into(),
        i64::try_from(name).expect("it fits"),
        i64::from(!at_base),
    ];
    told("ICLRIoCompletionManager", "OnComplete", &arguments)
}

fn handle(number: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(number)
}

impl Files {
    fn descriptor(&self, name: &str) -> usize {
        if let Ok(number) = name.parse::<usize>() {
            return number;
        }
        let (pipe, side) = name.split_once('/').expect("a pipe and its side");
        let (reader, writer) = &self.pipes[pipe];
        let number = match side {
            "in" => writer.as_ref().expect("it is open").as_raw_fd(),
            _ => reader.as_raw_fd(),
        };
        usize::try_from(number).expect("a descriptor")
    }

    fn port(&self, name: Option<&str>) -> usize {
        name.map_or(0, |name| match name.parse() {
            Ok(number) => number,
            Err(_) => self.ports[name],
        })
    }

    fn block(&mut self, name: &str) -> *mut Block {
        let next = self.blocks.len() + 1;
        let address = self.blocks.entry(name.to_owned()).or_insert_with(|| {
            let block = Box::leak(Box::new(Block {
                overlapped: OVERLAPPED {
                    Internal: 0,
                    InternalHigh: 0,
                    Offset: 0,
                    OffsetHigh: 0,
                    hEvent: handle(next),
                },
                host: [0; 4],
                buffer: *b"0123456789012345678901234567890123456789012345678901234567890123",
            }));
            (&raw mut *block).expose_provenance()
        });
        std::ptr::with_exposed_provenance_mut(*address)
    }
}

/// A call about transfers, if it is one.
pub fn call(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let io = world.managers.io;
    let first = arguments.first().copied();
    let mut files = world.files.lock().unwrap();
    Some(match call {
        "CreateIoCompletionPort" => {
            let mut port = handle(1);
            let place = &raw mut port;
            let result = com!(
                io,
                IHostIoCompletionManagerVtbl,
                CreateIoCompletionPort,
                place
            );
            let name = first.expect("a name").to_owned();
            files.ports.insert(name, port.addr());
            result.into()
        }
        "CloseIoCompletionPort" => {
            let port = handle(files.port(first));
            // Whoever is told of a cancellation may have to do with descriptors.
            drop(files);
            com!(
                io,
                IHostIoCompletionManagerVtbl,
                CloseIoCompletionPort,
                port
            )
            .into()
        }
        "Bind" => {
            let descriptor = handle(files.descriptor(first.expect("a descriptor")));
            let port = handle(files.port(arguments.get(1).copied()));
            com!(io, IHostIoCompletionManagerVtbl, Bind, port, descriptor).into()
        }
        "InitializeHostOverlapped" => {
            let block = files.block(first.expect("a name")).cast();
            com!(
                io,
                IHostIoCompletionManagerVtbl,
                InitializeHostOverlapped,
                block
            )
            .into()
        }
        "GetHostOverlappedSize" => valued(|bytes: *mut u32| {
            com!(
                io,
                IHostIoCompletionManagerVtbl,
                GetHostOverlappedSize,
                bytes
            )
        }),
        "SetMaxIoThreads" => com!(
            io,
            IHostIoCompletionManagerVtbl,
            SetMaxThreads,
            number(first)
        )
        .into(),
        "SetMinIoThreads" => com!(
            io,
            IHostIoCompletionManagerVtbl,
            SetMinThreads,
            number(first)
        )
        .into(),
        "GetMaxIoThreads" => {
            valued(|count: *mut u32| com!(io, IHostIoCompletionManagerVtbl, GetMaxThreads, count))
        }
        "GetMinIoThreads" => {
            valued(|count: *mut u32| com!(io, IHostIoCompletionManagerVtbl, GetMinThreads, count))
        }
        "GetAvailableIoThreads" => valued(|count: *mut u32| {
            com!(io, IHostIoCompletionManagerVtbl, GetAvailableThreads, count)
        }),
        _ => return on_files(world, &mut files, call, arguments),
    })
}

/// What the runtime does with its files, and asks the host for.
fn on_files(world: &World, files: &mut Files, call: &str, arguments: &[&str]) -> Option<Answer> {
    let first = arguments.first().copied();
    let transfers = world.host.transfers().expect("they are the host's");
    let done = |result: Result<(), Hresult>| Answer::from(result.err().unwrap_or(Hresult::S_OK));
    Some(match call {
        "Pipe" => {
            let (reader, writer) = pipe().expect("a pipe");
            let name = first.expect("a name").to_owned();
            files.pipes.insert(name, (reader, Some(writer)));
            Hresult::S_OK.into()
        }
        "Fill" => {
            let (_, writer) = files.pipes.get_mut(first.expect("a pipe")).expect("a pipe");
            let writer = writer.as_mut().expect("it is open");
            let bytes = vec![7; number(arguments.get(1).copied())];
            writer.write_all(&bytes).expect("there is room");
            Hresult::S_OK.into()
        }
        "CloseWriter" => {
            let (_, writer) = files.pipes.get_mut(first.expect("a pipe")).expect("a pipe");
            *writer = None;
            Hresult::S_OK.into()
        }
        "ReadFile" | "WriteFile" => {
            let direction = match call {
                "ReadFile" => Direction::Read,
                _ => Direction::Write,
            };
            let descriptor = Handle(files.descriptor(first.expect("a descriptor")));
            let block = files.block(arguments[1]);
            // SAFETY: the place of a field of a block that stays.
            let buffer = unsafe { (&raw mut (*block).buffer).cast() };
            let length = number(arguments.get(2).copied());
            // SAFETY: the block stays, and nobody looks at it meanwhile.
            let transfer =
                unsafe { Transfer::new(direction, descriptor, buffer, length, block.cast()) };
            done(transfer.and_then(|transfer| transfers.submit(transfer)))
        }
        "CancelIo" => {
            let descriptor = Handle(files.descriptor(first.expect("a descriptor")));
            let block = arguments
                .get(1)
                .map(|name| Address(files.block(name).addr()));
            done(transfers.cancel(descriptor, block))
        }
        "Unbind" => {
            let descriptor = Handle(files.descriptor(first.expect("a descriptor")));
            done(transfers.unbind(descriptor))
        }
        _ => return None,
    })
}
