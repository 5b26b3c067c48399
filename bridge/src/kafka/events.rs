//! The queue on which librdkafka puts a producer's events, and the wake-up it gives.
//!
//! With it the producer's thread sleeps until there is something to do, for Kafka or from it,
//! without a timer in between.

// librdkafka offers this wake-up for producers only in C; the two pointers below never leave this
// file.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::thread::Thread;

use rdkafka::bindings;
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::{RDKafka, RDKafkaQueue};

/// The main queue of a client. Drop it before the client.
pub(super) struct Events {
    queue: *mut RDKafkaQueue,
    /// What the callback wakes; boxed, since librdkafka holds its address.
    _thread: Box<Thread>,
}

impl Events {
    /// Wakes `thread` whenever an empty queue gets an event.
    pub(super) fn new<C: ClientContext>(client: &Client<C>, thread: Thread) -> Events {
        let thread = Box::new(thread);
        let address = std::ptr::from_ref::<Thread>(&thread).cast_mut().cast::<c_void>();
        // SAFETY: the client is alive, so its main queue is; the reference taken here is given
        // back when this is dropped. `address` stays valid as long as the callback is enabled: the
        // box lives in this value, and dropping it disables the callback first.
        let queue = unsafe {
            let queue = bindings::rd_kafka_queue_get_main(client.native_ptr());
            bindings::rd_kafka_queue_cb_event_enable(queue, Some(wake), address);
            queue
        };
        Events { queue, _thread: thread }
    }

    /// Events that wait to be polled.
    pub(super) fn len(&self) -> usize {
        // SAFETY: this value holds a reference to the queue.
        unsafe { bindings::rd_kafka_queue_length(self.queue) }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: the queue is alive by our reference. librdkafka calls back and disables under
        // the queue's lock, so no call is under way once disabling has returned.
        unsafe {
            bindings::rd_kafka_queue_cb_event_enable(self.queue, None, std::ptr::null_mut());
            bindings::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// Called by librdkafka's threads.
unsafe extern "C" fn wake(_client: *mut RDKafka, thread: *mut c_void) {
    // SAFETY: `thread` is the address given above, valid while the callback is enabled.
    unsafe { &*thread.cast::<Thread>() }.unpark();
}
