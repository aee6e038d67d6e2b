//! evenkeel keeps Amazon SageMaker endpoints at the right size.

pub mod domain;
pub mod num;
pub mod sim;
