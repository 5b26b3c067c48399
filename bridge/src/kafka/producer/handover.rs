//! Handing records to librdkafka by the handle of their topic.
//!
//! By its name a topic is looked up for each record, under the lock that librdkafka's own threads
//! need as well. A handle belongs to one client and has to go before it.

// rdkafka knows topics by their names alone; the pointers below never leave this file.
#![allow(unsafe_code)]

use std::ffi::{CString, c_void};
use std::ptr;

use rdkafka::bindings::{self, rd_kafka_vtype_t as Type};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::types::{RDKafkaHeaders, RDKafkaRespErr, RDKafkaTopic};

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UA: i32 = -1;

/// What librdkafka knows a topic by. Drop it before the client.
pub(super) struct Topic {
    name: String,
    handle: *mut RDKafkaTopic,
}

/// A record's parts; librdkafka copies them.
pub(super) struct Parts<'a> {
    /// `None` leaves it to the partitioner.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub(super) value: Option<&'a [u8]>,
    /// In milliseconds.
    pub(super) timestamp: i64,
    pub(super) headers: Headers,
    /// What the report will carry.
    pub(super) place: usize,
}

impl Topic {
    pub(super) fn new<C: ClientContext>(client: &Client<C>, name: &str) -> Result<Topic, Code> {
        let text = CString::new(name).map_err(|_| Code::InvalidTopic)?;
        // SAFETY: the client is alive, the text ends with a NUL, and no configuration of its own
        // means that of the client.
        let handle = unsafe {
            bindings::rd_kafka_topic_new(client.native_ptr(), text.as_ptr(), ptr::null_mut())
        };
        if handle.is_null() {
            return Err(Code::InvalidTopic);
        }
        Ok(Topic { name: name.to_owned(), handle })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Hands over one record, without waiting.
    pub(super) fn produce<C: ClientContext>(
        &self,
        client: &Client<C>,
        record: Parts<'_>,
    ) -> Result<(), Code> {
        let (key, key_bytes) = bytes(record.key);
        let (value, value_bytes) = bytes(record.value);
        // SAFETY: the list of types and values is as librdkafka documents it and has its end. Both
        // handles are alive. `RD_KAFKA_MSG_F_COPY` has key and value copied before the call
        // returns; the headers are librdkafka's once it has taken the record, and ours otherwise.
        let error = unsafe {
            bindings::rd_kafka_producev(
                client.native_ptr(),
                Type::RD_KAFKA_VTYPE_RKT,
                self.handle,
                Type::RD_KAFKA_VTYPE_MSGFLAGS,
                bindings::RD_KAFKA_MSG_F_COPY,
                Type::RD_KAFKA_VTYPE_VALUE,
                value,
                value_bytes,
                Type::RD_KAFKA_VTYPE_KEY,
                key,
                key_bytes,
                Type::RD_KAFKA_VTYPE_PARTITION,
                record.partition.unwrap_or(PARTITION_UA),
                Type::RD_KAFKA_VTYPE_OPAQUE,
                record.place as *mut c_void,
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp,
                Type::RD_KAFKA_VTYPE_HEADERS,
                record.headers.0,
                Type::RD_KAFKA_VTYPE_END,
            )
        };
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            std::mem::forget(record.headers);
            Ok(())
        } else {
            Err(error.into())
        }
    }
}

/// As librdkafka takes them: no bytes are no pointer.
fn bytes(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and the client is still there.
        unsafe { bindings::rd_kafka_topic_destroy(self.handle) };
    }
}

/// The headers of one record, until librdkafka takes them.
pub(super) struct Headers(*mut RDKafkaHeaders);

impl Headers {
    pub(super) fn with_capacity(count: usize) -> Headers {
        // SAFETY: no precondition; librdkafka ends the process when memory is out.
        Headers(unsafe { bindings::rd_kafka_headers_new(count) })
    }

    pub(super) fn add(&mut self, name: &str, value: Option<&[u8]>) {
        let (value, value_bytes) = bytes(value);
        // SAFETY: the list is ours, and name and value are copied with the lengths given.
        let error = unsafe {
            bindings::rd_kafka_header_add(
                self.0,
                name.as_ptr().cast(),
                name.len() as isize,
                value,
                value_bytes as isize,
            )
        };
        // Only a list that belongs to a record is read-only.
        debug_assert!(error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: they are ours: those that librdkafka has taken are forgotten.
        unsafe { bindings::rd_kafka_headers_destroy(self.0) };
    }
}
