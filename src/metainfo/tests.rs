//! Tests of the metainfo module, by subject.

mod create;
