//! Invoices of the node (`lightningd/invoice.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`create`] | `invoice` |
//! | [`list`] | `listinvoices` |
//! | [`store`] | the table `invoices`, and how unpaid ones expire |

mod create;
mod list;
mod store;
