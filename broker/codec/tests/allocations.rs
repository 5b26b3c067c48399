//! What the hot path allocates, counted by an allocator of our own: hence a test binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::BytesMut;
use midge_codec::{Packet, ProtocolVersion, decode};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator; the count is a thread-local integer
// without a destructor, so counting neither allocates nor unwinds.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn publish_without_properties_decodes_without_an_allocation() {
    for (version, wire) in [
        (ProtocolVersion::V311, &b"\x30\x06\x00\x03a/bx"[..]),
        (ProtocolVersion::V311, b"\x32\x08\x00\x03a/b\x00\x01x"),
        (ProtocolVersion::V5, b"\x34\x09\x00\x03a/b\x00\x01\x00x"),
    ] {
        let mut buffer = BytesMut::from(&wire.repeat(4)[..]);
        // The first split of a buffer makes it shared, at the cost of its one reference count.
        decode(&mut buffer, version, 100).expect("valid").expect("whole");
        let before = ALLOCATIONS.get();
        let mut packets = [const { None }; 3];
        for packet in &mut packets {
            *packet = decode(&mut buffer, version, 100).expect("valid");
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{wire:?}");
        assert!(packets.iter().all(|packet| matches!(packet, Some(Packet::Publish(_)))));
    }
}
