//! Invoices of the node (`lightningd/invoice.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`create`] | `invoice` |
//! | [`delete`] | `delinvoice` |
//! | [`list`] | `listinvoices` |
//! | [`store`] | the table `invoices`, and how unpaid ones expire |
//! | [`wait`] | `waitinvoice`, `waitanyinvoice` |

mod create;
mod delete;
mod list;
mod store;
mod wait;

pub(crate) use create::Invoice;
pub(crate) use delete::Delinvoice;
pub(crate) use list::Listinvoices;
pub(crate) use wait::{InvoiceWaiters, Waitanyinvoice, Waitinvoice};
