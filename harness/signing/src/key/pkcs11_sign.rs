//! `C_Sign` of a PKCS#11 module by itself: `cryptoki` calls it only together with `C_SignInit`, but a PIN for one signature has
//! to come between the two.

use std::path::Path;
use std::ptr;

use cryptoki::context::Function;
use cryptoki::error::{Error, Result, Rv};
use cryptoki::session::Session;
use cryptoki_sys::{CK_C_Sign, Pkcs11};

/// Bytes of the longest signature, by RSA-4096.
const MAX_SIGNATURE: usize = 512;

/// The function, and the module that it is in.
pub struct Sign {
    function: CK_C_Sign,
    _module: Pkcs11,
}

impl Sign {
    /// Finds the function of a module that is loaded already.
    pub fn of(module: &Path) -> Result<Self> {
        // SAFETY: It is loaded, so that nothing of it runs here.
        let module = unsafe { Pkcs11::new(module) }.map_err(Error::LibraryLoading)?;
        let Ok(function_list) = &module.C_GetFunctionList else {
            return Err(Error::MissingSymbol("C_GetFunctionList"));
        };
        let mut list = ptr::null_mut();
        // SAFETY: The function takes a place for the pointer, and may be called at any time.
        Rv::from(unsafe { function_list(&mut list) }).into_result(Function::GetFunctionList)?;
        // SAFETY: The list is valid as long as the module is loaded.
        let function = unsafe { (*list).C_Sign };
        Ok(Sign { function, _module: module })
    }

    /// The signature of `data` that has been started in a session of the same module.
    pub fn sign(&self, session: &Session, data: &[u8]) -> Result<Vec<u8>> {
        let function = self.function.ok_or(Error::NullFunctionPointer)?;
        let mut signature = vec![0; MAX_SIGNATURE];
        let mut length = signature.len().try_into()?;
        // SAFETY: The session is open, the lengths are those of the buffers, and the data are only read.
        let result = unsafe {
            function(
                session.handle(),
                data.as_ptr().cast_mut(),
                data.len().try_into()?,
                signature.as_mut_ptr(),
                &mut length,
            )
        };
        Rv::from(result).into_result(Function::Sign)?;
        signature.truncate(length.try_into()?);
        Ok(signature)
    }
}
