//! Bytes as the vectors write them: hex digits and 'quoted' text, spaces where they please.

/// The bytes of a vector.
pub(crate) fn wire(vector: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in vector.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u32> = part
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{c:?} in {vector:?}")))
            .collect();
        assert!(digits.len().is_multiple_of(2), "half a byte in {vector:?}");
        bytes.extend(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
    }
    bytes
}
