//! `IHostAssemblyManager` and `IHostAssemblyStore`: assemblies for the runtime, from memory and from a folder.
//!
//! What is in memory comes first, by its whole identity. In the folder an assembly is a file of its name with `.dll` or
//! `.exe` behind it, in a folder of its culture's name if it has one, with symbols in a `.pdb` beside it. A name that is no
//! mere name of a file is not there, and neither is what leads out of the folder (`folder`).
//!
//! A runtime keeps the answers, so they never change: what was given once stays open, and is given again whatever becomes of
//! the file. Nothing is kept of what was not there, so that names nobody has make nothing grow.
// Not forbidden, for the sake of the rooms below.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the kernel's calls: see there")]
mod folder;
mod identity;
mod stream;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::com::clr::ICLRAssemblyReferenceList;
use crate::com::host::{IHostAssemblyManager, IHostAssemblyStore, IStream};
use crate::com::{AssemblyRequest, ComRef, Gate, Hresult, ModuleRequest, Origin};
use folder::Folder;
use identity::{Identity, is_file_name};
use stream::Image;

/// Where a runtime finds its assemblies.
#[derive(Clone, Default)]
#[must_use]
pub struct Assemblies {
    folder: Option<Arc<Folder>>,
    memory: Vec<Stored>,
    list: Option<ICLRAssemblyReferenceList>,
}

impl fmt::Debug for Assemblies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assemblies")
            .field("folder", &self.folder)
            .field("in_memory", &self.memory.len())
            .finish_non_exhaustive()
    }
}

/// An image in memory: an assembly, or a module of one.
#[derive(Clone)]
struct Stored {
    identity: Identity,
    module: Option<String>,
    image: Arc<[u8]>,
    symbols: Option<Arc<[u8]>>,
}

impl Assemblies {
    /// None at all.
    pub fn new() -> Assemblies {
        Assemblies::default()
    }

    /// Those of a folder, which is opened now.
    ///
    /// # Errors
    /// What the system says: it is not there, no folder, or not to be read.
    pub fn folder(mut self, path: impl AsRef<Path>) -> io::Result<Assemblies> {
        self.folder = Some(Arc::new(Folder::open(path.as_ref())?));
        Ok(self)
    }

    /// One in memory, by its identity: a name, and what else is to be the same if it is asked for
    /// (`Name, Version=1.0.0.0, Culture=neutral`). The first that fits is taken.
    ///
    /// # Errors
    /// `InvalidInput` for what is no identity.
    pub fn add(
        self,
        identity: &str,
        image: impl Into<Arc<[u8]>>,
        symbols: Option<Arc<[u8]>>,
    ) -> io::Result<Assemblies> {
        self.store(identity, None, image.into(), symbols)
    }

    /// A module of an assembly.
    ///
    /// # Errors
    /// `InvalidInput` for what is no identity, or no name of a file.
    pub fn add_module(
        self,
        identity: &str,
        module: &str,
        image: impl Into<Arc<[u8]>>,
    ) -> io::Result<Assemblies> {
        if !is_file_name(module) {
            let text = "a module whose name is no name of a file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.store(identity, Some(module.to_owned()), image.into(), None)
    }

    fn store(
        mut self,
        identity: &str,
        module: Option<String>,
        image: Arc<[u8]>,
        symbols: Option<Arc<[u8]>>,
    ) -> io::Result<Assemblies> {
        let text = "no identity of an assembly";
        let identity = Identity::parse(identity)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        self.memory.push(Stored {
            identity,
            module,
            image,
            symbols,
        });
        Ok(self)
    }

    /// What the runtime loads without asking. Everything else comes from here, or is not there. Default: no list, and the
    /// runtime looks where it looks first, then here, then elsewhere.
    pub fn loaded_by_runtime(mut self, list: ICLRAssemblyReferenceList) -> Assemblies {
        self.list = Some(list);
        self
    }
}

/// What was given, to be given again.
#[derive(Clone, Debug)]
struct Given {
    id: u64,
    image: Image,
    symbols: Option<Image>,
}

/// Where something is, which says whether it was given before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Memory(usize),
    File(Option<String>, String),
}

struct Store {
    gate: &'static Gate,
    assemblies: Assemblies,
    given: Mutex<BTreeMap<Place, Given>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("assemblies", &self.assemblies)
            .finish_non_exhaustive()
    }
}

/// No two images of a process have the same.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Relaxed: a number, and no two are the same.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Store {
    fn find(&self, identity: &Identity, module: Option<&str>) -> Result<Given, Hresult> {
        if let Some(given) = self.find_in_memory(identity, module) {
            return Ok(given);
        }
        let names = match module {
            Some(module) => vec![module.to_owned()],
            None => ["dll", "exe"]
                .map(|end| format!("{}.{end}", identity.name))
                .to_vec(),
        };
        names
            .into_iter()
            .find_map(|name| self.find_in_folder(identity.culture.clone(), name))
            .ok_or(Hresult::COR_E_FILENOTFOUND)
    }

    fn find_in_memory(&self, identity: &Identity, module: Option<&str>) -> Option<Given> {
        let memory = &self.assemblies.memory;
        let at = memory.iter().position(|stored| {
            let same_module = match (stored.module.as_deref(), module) {
                (None, None) => true,
                (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
                _ => false,
            };
            same_module && stored.identity.answers(identity)
        })?;
        let mut given = self.given.lock();
        let given = given.entry(Place::Memory(at)).or_insert_with(|| Given {
            id: next_id(),
            image: Image::Memory(Arc::clone(&memory[at].image)),
            symbols: memory[at].symbols.clone().map(Image::Memory),
        });
        Some(given.clone())
    }

    fn find_in_folder(&self, culture: Option<String>, name: String) -> Option<Given> {
        let place = Place::File(culture, name);
        if let Some(given) = self.given.lock().get(&place) {
            return Some(given.clone());
        }
        let Place::File(culture, name) = &place else {
            return None;
        };
        let folder = self.assemblies.folder.as_ref()?;
        // Opened without the lock: it may take long.
        let open = |name: &str| {
            let file = folder.file(culture.as_deref(), name).ok()?;
            let size = file.metadata().ok()?.len();
            Some(Image::File(Arc::new(file), size))
        };
        let image = open(name)?;
        let stem = name.rsplit_once('.').map_or(&**name, |(stem, _)| stem);
        let made = Given {
            id: next_id(),
            image,
            symbols: open(&format!("{stem}.pdb")),
        };
        // Of two that came at once the first is given to both.
        Some(self.given.lock().entry(place).or_insert(made).clone())
    }

    fn streams(&self, given: &Given) -> (ComRef<dyn IStream>, Option<ComRef<dyn IStream>>) {
        let stream = |image: &Image| image.stream(self.gate);
        (stream(&given.image), given.symbols.as_ref().map(stream))
    }
}

impl IHostAssemblyStore for Arc<Store> {
    fn provide_assembly(
        &self,
        request: AssemblyRequest,
    ) -> Result<(u64, u64, ComRef<dyn IStream>, Option<ComRef<dyn IStream>>), Hresult> {
        let identity = Identity::parse(&request.identity).ok_or(Hresult::COR_E_FILENOTFOUND)?;
        let given = self.find(&identity, None)?;
        let (image, symbols) = self.streams(&given);
        // The host has nothing to say to managed code.
        Ok((given.id, 0, image, symbols))
    }

    fn provide_module(
        &self,
        request: ModuleRequest,
    ) -> Result<(u32, ComRef<dyn IStream>, Option<ComRef<dyn IStream>>), Hresult> {
        let identity = Identity::parse(&request.identity).ok_or(Hresult::COR_E_FILENOTFOUND)?;
        if !is_file_name(&request.module) {
            return Err(Hresult::COR_E_FILENOTFOUND);
        }
        let given = self.find(&identity, Some(&request.module))?;
        let id = u32::try_from(given.id).map_err(|_| Hresult::E_NOT_SUFFICIENT_BUFFER)?;
        let (image, symbols) = self.streams(&given);
        Ok((id, image, symbols))
    }
}

/// The manager.
#[derive(Debug)]
pub(crate) struct AssemblyManager {
    gate: &'static Gate,
    store: Arc<Store>,
}

impl AssemblyManager {
    pub(crate) fn new(gate: &'static Gate, assemblies: Assemblies) -> AssemblyManager {
        AssemblyManager {
            gate,
            store: Arc::new(Store {
                gate,
                assemblies,
                given: Mutex::default(),
            }),
        }
    }
}

impl IHostAssemblyManager for AssemblyManager {
    fn non_host_store_assemblies(&self) -> Result<Option<ICLRAssemblyReferenceList>, Hresult> {
        Ok(self.store.assemblies.list.clone())
    }

    fn assembly_store(&self) -> Result<ComRef<dyn IHostAssemblyStore>, Hresult> {
        let store: Arc<dyn IHostAssemblyStore> = Arc::new(Arc::clone(&self.store));
        Ok(ComRef::new(self.gate, Origin::Host, store))
    }
}
