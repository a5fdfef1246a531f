//! The broker as a library: requests in, answers out, and everything that decides in between.
