//! The journal over a simulated file system: what it promises, through crashes, faults and damage.

mod behaviour;
mod crashes;
mod damage;
mod model;
mod run;
