//! What a runtime says of its events, read from what it gives with them.
//!
//! Room for unsafe code: those structures and their texts.

use std::ffi::c_void;

use super::argument::{Argument, read};
use super::bind::text;
use super::constants::{EClrEvent, StackOverflowType};
use super::hresult::Hresult;
use super::table::{MDAInfo, StackOverflowInfo};

/// An event of a runtime's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClrEvent {
    /// The domain of this number is being unloaded.
    DomainUnload(usize),
    /// The runtime does not work any more in this process.
    ClrDisabled,
    /// One of its aids for finding mistakes has found one.
    MdaFired {
        /// What it is called, if it says so; likewise below.
        caption: Option<String>,
        /// What was found.
        message: Option<String>,
        /// Where that was.
        stack: Option<String>,
    },
    /// A stack was not enough, of this kind of code.
    StackOverflow(StackOverflowType),
}

impl Argument for ClrEvent {
    type Words = (u32, *mut c_void);

    unsafe fn check((kind, data): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: a number.
        let kind = unsafe { <EClrEvent as Argument>::check((kind,)) }?;
        Ok(match kind {
            EClrEvent::Event_DomainUnload => ClrEvent::DomainUnload(data.addr()),
            EClrEvent::Event_MDAFired => {
                // SAFETY: as the caller promises: with this event comes this structure; likewise below.
                let info = unsafe { read(data.cast::<MDAInfo>().cast_const()) }?;
                ClrEvent::MdaFired {
                    // SAFETY: as the declaration of the structure says; likewise below.
                    caption: unsafe { text(info.lpMDACaption) }?,
                    // SAFETY: as above.
                    message: unsafe { text(info.lpMDAMessage) }?,
                    // SAFETY: as above.
                    stack: unsafe { text(info.lpStackTrace) }?,
                }
            }
            EClrEvent::Event_StackOverflow => {
                // SAFETY: as above.
                let info = unsafe { read(data.cast::<StackOverflowInfo>().cast_const()) }?;
                ClrEvent::StackOverflow(StackOverflowType(info.soType))
            }
            // The one kind that is left.
            _ => ClrEvent::ClrDisabled,
        })
    }
}
