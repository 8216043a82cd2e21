//! From registers and a copy of a stack to return addresses, by the tables that unwinding uses (`.eh_frame`).
//!
//! They are copied from memory while the loader's lock is held, so that a library which is unloaded meanwhile does no harm.
//! What a rule needs that is not known (another register, a place beyond the copy, an expression) ends the walk.
//!
//! Room for unsafe code: reading the loaded modules.

use crate::stall::sample::Captured;

#[cfg(all(feature = "symbols", target_arch = "x86_64", not(any(loom, shuttle))))]
pub(super) use tables::Tables;

/// Without the library that reads them there is only the innermost frame.
#[cfg(not(all(feature = "symbols", target_arch = "x86_64", not(any(loom, shuttle)))))]
pub(super) struct Tables;

#[cfg(not(all(feature = "symbols", target_arch = "x86_64", not(any(loom, shuttle)))))]
impl Tables {
    pub(super) fn read() -> Tables {
        Tables
    }

    pub(super) fn unwind(&self, captured: &Captured) -> Vec<usize> {
        vec![captured.instruction]
    }
}

#[cfg(all(feature = "symbols", target_arch = "x86_64", not(any(loom, shuttle))))]
mod tables {
    use std::ffi::c_void;

    use gimli::{
        BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Pointer, Register,
        RegisterRule, UnwindContext, UnwindSection, X86_64,
    };

    use super::Captured;

    type Bytes<'a> = EndianSlice<'a, NativeEndian>;

    /// So many frames are found.
    const FRAMES_MAX: usize = 128;

    /// The tables of all modules of the process.
    pub(crate) struct Tables(Vec<Module>);

    struct Module {
        /// The addresses of its code.
        code: Vec<(usize, usize)>,
        /// The index of its table, and the table, each with its address.
        index: (usize, Vec<u8>),
        frames: (usize, Vec<u8>),
    }

    impl Tables {
        pub(crate) fn read() -> Tables {
            let mut modules = Vec::<Module>::new();
            // SAFETY: the callback takes what it is given for as long as it runs, and the data is the vector.
            unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut modules).cast()) };
            Tables(modules)
        }

        /// The address at which it stands, and those to which it returns.
        pub(crate) fn unwind(&self, captured: &Captured) -> Vec<usize> {
            let mut registers = Registers::new(captured);
            let mut context = UnwindContext::new();
            let mut frames = vec![captured.instruction];
            while frames.len() < FRAMES_MAX {
                let at = frames[frames.len() - 1];
                // A call returns behind itself, perhaps to what belongs to another function already.
                let inside = if frames.len() == 1 { at } else { at - 1 };
                match self.step(inside, &mut registers, captured, &mut context) {
                    Some(back) if back != 0 => frames.push(back),
                    _ => break,
                }
            }
            frames
        }

        /// From the registers inside a function to those of its caller; where that goes on.
        fn step(
            &self,
            at: usize,
            registers: &mut Registers,
            captured: &Captured,
            context: &mut UnwindContext<usize>,
        ) -> Option<usize> {
            let has_code = |module: &&Module| {
                let mut code = module.code.iter();
                code.any(|&(low, high)| (low..high).contains(&at))
            };
            let module = self.0.iter().find(has_code)?;
            let bases = BaseAddresses::default()
                .set_eh_frame_hdr(module.index.0 as u64)
                .set_eh_frame(module.frames.0 as u64);
            let index = EhFrameHdr::new(&module.index.1, NativeEndian);
            let index = index.parse(&bases, size_of::<usize>() as u8).ok()?;
            let frames = EhFrame::new(&module.frames.1, NativeEndian);
            let entry = index
                .table()?
                .fde_for_address(
                    &frames,
                    &bases,
                    at as u64,
                    EhFrame::<Bytes<'_>>::cie_from_offset,
                )
                .ok()?;
            let row = entry
                .unwind_info_for_address(&frames, &bases, context, at as u64)
                .ok()?;
            let frame = match row.cfa() {
                CfaRule::RegisterAndOffset { register, offset } => registers
                    .get(*register)?
                    .checked_add_signed(isize::try_from(*offset).ok()?)?,
                CfaRule::Expression(_) => return None,
            };
            let before = registers.clone();
            for place in Registers::KNOWN {
                let known = match row.register(place) {
                    Some(RegisterRule::Offset(offset)) => captured.word(frame, offset),
                    Some(RegisterRule::ValOffset(offset)) => {
                        frame.checked_add_signed(isize::try_from(offset).ok()?)
                    }
                    Some(RegisterRule::Register(other)) => before.get(other),
                    // What a function need not keep is not asked for.
                    None | Some(RegisterRule::SameValue) if place != X86_64::RA => {
                        before.get(place)
                    }
                    _ => None,
                };
                registers.set(place, known);
            }
            registers.set(X86_64::RSP, Some(frame));
            registers.get(X86_64::RA)
        }
    }

    impl Captured {
        /// The word that lies so far from an address, if it was copied.
        fn word(&self, at: usize, offset: i64) -> Option<usize> {
            let at = at.checked_add_signed(isize::try_from(offset).ok()?)?;
            let place = at.checked_sub(self.words_at)?;
            if !place.is_multiple_of(size_of::<usize>()) {
                return None;
            }
            self.words.get(place / size_of::<usize>()).copied()
        }
    }

    /// By the numbers that the tables use; nothing for what is not known.
    #[derive(Clone)]
    struct Registers([Option<usize>; 17]);

    impl Registers {
        /// Those that a function keeps for its caller, and where it returns.
        const KNOWN: [Register; 7] = [
            X86_64::RBX,
            X86_64::RBP,
            X86_64::R12,
            X86_64::R13,
            X86_64::R14,
            X86_64::R15,
            X86_64::RA,
        ];

        fn new(captured: &Captured) -> Registers {
            let mut registers = Registers([None; 17]);
            registers.set(X86_64::RBX, Some(captured.base));
            registers.set(X86_64::RBP, Some(captured.frame));
            registers.set(X86_64::RSP, Some(captured.stack));
            registers
        }

        fn get(&self, register: Register) -> Option<usize> {
            self.0.get(usize::from(register.0)).copied().flatten()
        }

        fn set(&mut self, register: Register, value: Option<usize>) {
            if let Some(place) = self.0.get_mut(usize::from(register.0)) {
                *place = value;
            }
        }
    }

    /// Takes one module. The loader's lock is held.
    unsafe extern "C" fn add(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        modules: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: what `read` has passed, which nobody else uses meanwhile.
        let modules = unsafe { &mut *modules.cast::<Vec<Module>>() };
        // SAFETY: the loader's, for as long as this runs.
        let info = unsafe { &*info };
        // SAFETY: as above; so many headers lie there.
        let headers =
            unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let base = info.dlpi_addr as usize;
        let range = |header: &libc::Elf64_Phdr| {
            let low = base.wrapping_add(header.p_vaddr as usize);
            (low, low + header.p_memsz as usize)
        };
        let loaded = || headers.iter().filter(|it| it.p_type == libc::PT_LOAD);
        let index = headers.iter().find(|it| it.p_type == libc::PT_GNU_EH_FRAME);
        let Some(index) = index.map(range) else {
            return 0;
        };
        // SAFETY: a readable segment of a module that stays loaded while the lock is held.
        let copy = |low: usize, high: usize| unsafe {
            std::slice::from_raw_parts(low as *const u8, high - low).to_vec()
        };
        let index = (index.0, copy(index.0, index.1));
        let bases = BaseAddresses::default().set_eh_frame_hdr(index.0 as u64);
        let parsed = EhFrameHdr::new(&index.1, NativeEndian);
        let Ok(parsed) = parsed.parse(&bases, size_of::<usize>() as u8) else {
            return 0;
        };
        let Pointer::Direct(frames) = parsed.eh_frame_ptr() else {
            return 0;
        };
        let frames = frames as usize;
        // The index does not say where the table ends, but it ends with its segment.
        let segment = loaded()
            .filter(|it| it.p_flags & libc::PF_R != 0)
            .map(range);
        let mut around = segment.filter(|&(low, high)| (low..high).contains(&frames));
        let Some((_, end)) = around.next() else {
            return 0;
        };
        let code = loaded()
            .filter(|it| it.p_flags & libc::PF_X != 0)
            .map(range);
        modules.push(Module {
            code: code.collect(),
            index,
            frames: (frames, copy(frames, end)),
        });
        0
    }
}
