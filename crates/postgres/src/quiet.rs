//! Statement parameters whose values are not logged.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

/// The parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A parameter whose `Debug` output omits its value. The driver logs parameters at debug level, and
/// they include keys, hashes and session data of the application.
pub(crate) struct Quiet<'a>(&'a (dyn ToSql + Sync));

impl Quiet<'_> {
    pub(crate) fn all<'a>(params: Params<'a>) -> Vec<Quiet<'a>> {
        params.iter().map(|param| Quiet(*param)).collect()
    }

    pub(crate) fn params<'a>(all: &'a [Quiet<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
        all.iter().map(|param| param as _).collect()
    }
}

impl fmt::Debug for Quiet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Quiet<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql_checked(ty, out)
    }

    // The parameter itself checks the type when it is encoded.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql_checked(ty, out)
    }

    fn encode_format(&self, ty: &Type) -> Format {
        self.0.encode_format(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_do_not_show_themselves() {
        let params: Params<'_> = &[&"a private key", &vec!["a handle"], &7_i64];
        let all = Quiet::all(params);
        assert_eq!(format!("{:?}", Quiet::params(&all)), "[_, _, _]");
    }
}
