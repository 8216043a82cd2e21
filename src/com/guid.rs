//! The numbers by which interfaces are named.
#![forbid(unsafe_code)]

use std::fmt;

/// A GUID with the layout that the binary interface has: one 32-bit number, two 16-bit ones, eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Guid {
    /// The first eight digits.
    pub data1: u32,
    /// The next four.
    pub data2: u16,
    /// The next four.
    pub data3: u16,
    /// The last sixteen, byte by byte.
    pub data4: [u8; 8],
}

impl Guid {
    /// The GUID whose usual text has these digits in this order.
    pub const fn from_u128(digits: u128) -> Guid {
        let bytes = digits.to_be_bytes();
        let [_, _, _, _, _, _, _, _, last @ ..] = bytes;
        Guid {
            data1: (digits >> 96) as u32,
            data2: (digits >> 80) as u16,
            data3: (digits >> 64) as u16,
            data4: last,
        }
    }

    /// The digits of its usual text.
    pub const fn to_u128(self) -> u128 {
        (self.data1 as u128) << 96
            | (self.data2 as u128) << 80
            | (self.data3 as u128) << 64
            | u64::from_be_bytes(self.data4) as u128
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.to_u128();
        write!(
            f,
            "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
            self.data1,
            self.data2,
            self.data3,
            (digits >> 48) as u16,
            digits & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_stand_in_memory_as_the_binary_interface_wants() {
        let guid = Guid::from_u128(0x2827_5828_c4b1_4b55_82c9_9213_5f74_df1a);
        assert_eq!(guid.data1, 0x2827_5828);
        assert_eq!((guid.data2, guid.data3), (0xc4b1, 0x4b55));
        assert_eq!(guid.data4, [0x82, 0xc9, 0x92, 0x13, 0x5f, 0x74, 0xdf, 0x1a]);
        assert_eq!(Guid::from_u128(guid.to_u128()), guid);
        assert_eq!(guid.to_string(), "28275828-C4B1-4B55-82C9-92135F74DF1A");
    }
}
