//! Invoices of the node (`lightningd/invoice.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`create`], [`hints`] | `invoice`, and the routes that it shows |
//! | [`sign`] | `createinvoice`, `signinvoice` |
//! | [`delete`] | `delinvoice` |
//! | [`list`] | `listinvoices` |
//! | [`pay`] | whether a payment is right for an invoice, and what follows |
//! | [`store`] | the table `invoices`, and how unpaid ones expire |
//! | [`wait`] | `waitinvoice`, `waitanyinvoice` |

mod create;
mod delete;
mod hints;
mod list;
mod pay;
mod sign;
mod store;
mod wait;

pub(crate) use create::Invoice;
pub(crate) use delete::Delinvoice;
pub(crate) use list::Listinvoices;
pub(crate) use pay::Paying;
pub(crate) use sign::{Createinvoice, Signinvoice};
pub(crate) use wait::{InvoiceWaiters, Waitanyinvoice, Waitinvoice};
