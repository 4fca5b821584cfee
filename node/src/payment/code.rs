//! The codes of errors about payments (`common/jsonrpc_errors.h`, there `PAY_…`).

pub(super) const IN_PROGRESS: i64 = 200;
pub(super) const RHASH_ALREADY_USED: i64 = 201;
pub(super) const UNPARSEABLE_ONION: i64 = 202;
pub(super) const DESTINATION_PERM_FAIL: i64 = 203;
pub(super) const TRY_OTHER_ROUTE: i64 = 204;
pub(super) const ROUTE_NOT_FOUND: i64 = 205;
pub(super) const ROUTE_TOO_EXPENSIVE: i64 = 206;
pub(super) const INVOICE_EXPIRED: i64 = 207;
pub(super) const NO_SUCH_PAYMENT: i64 = 208;
pub(super) const UNSPECIFIED_ERROR: i64 = 209;
pub(super) const INJECTPAYMENTONION_ALREADY_PAID: i64 = 219;
