//! Where frames end: a byte of any kind, a length of up to four bytes with seven bits each, least
//! first, and so many bytes.
//!
//! This is how MQTT frames its packets, so the relay carries the very bytes that a broker does.

/// How many bytes of whole frames `bytes` begins with; `None` when a length has a fifth byte.
pub(crate) fn whole(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    while let Some(next) = frame_end(bytes, end)? {
        end = next;
    }
    Some(end)
}

/// Where the frame ends that begins at `start`, or `None` inside when it is not whole.
fn frame_end(bytes: &[u8], start: usize) -> Option<Option<usize>> {
    let mut length = 0;
    for place in 0..4 {
        let Some(byte) = bytes.get(start + 1 + place) else { return Some(None) };
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let end = start + 2 + place + length;
            return Some((end <= bytes.len()).then_some(end));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_count_wherever_the_bytes_end() {
        let mut bytes = vec![0x30, 3, 1, 2, 3];
        let second = bytes.len();
        bytes.extend([0x30, 0x80 | 72, 1]);
        bytes.resize(bytes.len() + 200, 7);
        for end in 0..=bytes.len() {
            let expected = if end == bytes.len() {
                end
            } else if end >= second {
                second
            } else {
                0
            };
            assert_eq!(whole(&bytes[..end]), Some(expected), "of {end} bytes");
        }
    }

    #[test]
    fn length_of_five_bytes_is_no_frame() {
        assert_eq!(whole(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), None);
        assert_eq!(whole(&[0x30, 0xff, 0xff, 0xff]), Some(0));
    }
}
