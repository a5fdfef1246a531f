//! Schemas that lie in logs and files: what coordinators, transactions and producers leave behind.
