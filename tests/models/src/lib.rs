//! Nothing: the models are in `tests/model.rs`. They are a crate of their own since what the hosting layer's other tests depend
//! on is not for checkers.
#![forbid(unsafe_code)]
