//! The shape of the binary interface as data: what the tests compare with its source, and what programs may ask.
#![forbid(unsafe_code)]

/// A structure that travels through the interface.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// As the headers call it.
    pub name: &'static str,
    /// In bytes, as compiled here.
    pub size: usize,
    /// In order.
    pub fields: &'static [Field],
}

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As the headers call it.
    pub name: &'static str,
    /// In bytes, as compiled here.
    pub offset: usize,
}

/// An interface.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// As the headers call it.
    pub name: &'static str,
    /// What `QueryInterface` is asked for.
    pub iid: super::Guid,
    /// Whose slots come first; none for `IUnknown` itself.
    pub base: Option<&'static str>,
    /// Whether the host implements it; otherwise the runtime does.
    pub by_host: bool,
    /// The size of its table of functions in bytes, as compiled here.
    pub size: usize,
    /// In the order of the slots, inherited ones first.
    pub methods: &'static [Method],
}

/// One slot.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// As the headers call it.
    pub name: &'static str,
    /// Where it stands in the table, in bytes, as compiled here.
    pub offset: usize,
    /// After `this`.
    pub parameters: &'static [Parameter],
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As the headers call it.
    pub name: &'static str,
    /// Its type in C.
    pub ctype: &'static str,
    /// `in`, `out` or `inout`.
    pub direction: &'static str,
}

impl Interface {
    /// The description of the interface of this name.
    pub fn named(name: &str) -> Option<&'static Interface> {
        super::table::INTERFACES
            .iter()
            .find(|interface| interface.name == name)
    }
}
