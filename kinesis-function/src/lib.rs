//! Turns a handler into a Lambda function that consumes a Kinesis stream.
//!
//! In the order in which data flows: the loop ([`runtime`]) reads an [`event`], whose [`records`] a [`handler`] decodes
//! and processes in one [`invocation`], within its [`time_budget`]; scheduled work is a [`sweep`]. Unusable records are kept ([`rejected_records`],
//! [`rejected_table`]), failures are collected ([`failures`]), and each invocation ends with a response
//! ([`done_records`]) and a line of [`metrics`]. The layer below calls AWS: one client configuration and retry policy
//! ([`aws`], [`call_error`], [`backoff`]), and requests of many parts ([`statements`], [`put_requests`],
//! [`concurrency`]).
//!
//! To write a function, start with [`handler`]. Nothing here depends on what a particular function does with its
//! records.

pub mod limits;

pub mod config;
pub mod logs;
pub mod runtime;

pub mod event;
pub mod event_error;
pub mod records;

pub mod handler;
pub mod invocation;
pub mod sweep;
pub mod time_budget;

pub mod rejected_records;
pub mod rejected_table;

pub mod done_records;
pub mod failures;
pub mod metrics;

pub mod aws;
pub mod backoff;
pub mod call_error;
pub mod concurrency;
pub mod put_requests;
pub mod statements;
