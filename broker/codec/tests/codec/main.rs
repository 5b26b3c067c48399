//! The wire format over the public API: vectors derived from the standards by hand, properties over
//! arbitrary packets, and every form that must be refused.

mod limits;
mod malformed;
mod refused;
mod round_trip;
mod splits;
mod strategies;
mod text;
mod topics;
mod vectors;
mod versions;
mod wire;
