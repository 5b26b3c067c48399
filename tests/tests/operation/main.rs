//! What an operator meets: files, options, signals, and the world outside that means no good.

mod access_control;
mod certificates;
mod command_line;
mod config_errors;
mod connect_cli;
mod connect_standalone;
mod file_descriptors;
mod garbage;
mod hashing_flood;
mod health;
mod import;
mod passwd_cli;
mod passwords;
mod persistence;
mod persistence_faults;
mod reload;
mod shutdown;
mod slow_reader;
mod store_tool;
mod sys_topics;
mod tls;
