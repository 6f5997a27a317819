//! Reading records field by field.

/// Bytes that have not been read yet.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes, if there are as many.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    /// The next two bytes, a little-endian number.
    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    /// The next four bytes, a little-endian number.
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// The next eight bytes, a little-endian number.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
