//! What came of a transfer, in the numbers of Win32.
#![forbid(unsafe_code)]

use super::kernel::Kind;
use crate::com::Direction;

const ERROR_SUCCESS: u32 = 0;
const ERROR_TOO_MANY_OPEN_FILES: u32 = 4;
const ERROR_ACCESS_DENIED: u32 = 5;
const ERROR_INVALID_HANDLE: u32 = 6;
const ERROR_NOT_ENOUGH_MEMORY: u32 = 8;
const ERROR_HANDLE_EOF: u32 = 38;
const ERROR_NETNAME_DELETED: u32 = 64;
const ERROR_INVALID_PARAMETER: u32 = 87;
const ERROR_BROKEN_PIPE: u32 = 109;
const ERROR_DISK_FULL: u32 = 112;
const ERROR_SEM_TIMEOUT: u32 = 121;
const ERROR_FILE_TOO_LARGE: u32 = 223;
const ERROR_OPERATION_ABORTED: u32 = 995;
const ERROR_NOACCESS: u32 = 998;
const ERROR_IO_DEVICE: u32 = 1117;
const ERROR_CONNECTION_REFUSED: u32 = 1225;
const ERROR_NETWORK_UNREACHABLE: u32 = 1231;
const ERROR_HOST_UNREACHABLE: u32 = 1232;
const ERROR_CONNECTION_ABORTED: u32 = 1236;
const ERROR_DISK_QUOTA_EXCEEDED: u32 = 1295;
const ERROR_GEN_FAILURE: u32 = 31;
const ERROR_MORE_DATA: u32 = 234;
/// Of sockets: `WSAENOTCONN`.
const NOT_CONNECTED: u32 = 10057;

/// The error and the bytes for what the kernel said: a count, or an error below 0. `asked` bytes were wanted, and `done` were
/// moved before.
pub(super) fn outcome(
    kind: Kind,
    direction: Direction,
    asked: u32,
    done: u32,
    result: i32,
) -> (u32, u32) {
    match u32::try_from(result) {
        Ok(0) if asked > 0 && done == 0 && direction == Direction::Read => (end(kind), 0),
        Ok(count) => (ERROR_SUCCESS, done + count),
        Err(_) => (error(kind, -result), done),
    }
}

/// Nothing more is to be read. Of a socket that is no error.
fn end(kind: Kind) -> u32 {
    match kind {
        Kind::File | Kind::Device => ERROR_HANDLE_EOF,
        Kind::Pipe => ERROR_BROKEN_PIPE,
        Kind::Socket => ERROR_SUCCESS,
    }
}

fn error(kind: Kind, errno: i32) -> u32 {
    match errno {
        libc::ECANCELED => ERROR_OPERATION_ABORTED,
        libc::EBADF | libc::ESPIPE | libc::EISDIR => ERROR_INVALID_HANDLE,
        libc::EMFILE | libc::ENFILE => ERROR_TOO_MANY_OPEN_FILES,
        libc::EPERM | libc::EACCES | libc::EROFS => ERROR_ACCESS_DENIED,
        libc::ENOMEM | libc::ENOBUFS => ERROR_NOT_ENOUGH_MEMORY,
        libc::EINVAL => ERROR_INVALID_PARAMETER,
        libc::EFAULT => ERROR_NOACCESS,
        libc::EPIPE if kind == Kind::Socket => ERROR_NETNAME_DELETED,
        libc::EPIPE => ERROR_BROKEN_PIPE,
        libc::ECONNRESET => ERROR_NETNAME_DELETED,
        libc::ECONNABORTED => ERROR_CONNECTION_ABORTED,
        libc::ECONNREFUSED => ERROR_CONNECTION_REFUSED,
        libc::ENETUNREACH | libc::ENETDOWN => ERROR_NETWORK_UNREACHABLE,
        libc::EHOSTUNREACH => ERROR_HOST_UNREACHABLE,
        libc::ENOTCONN | libc::EDESTADDRREQ => NOT_CONNECTED,
        libc::ETIMEDOUT => ERROR_SEM_TIMEOUT,
        libc::EMSGSIZE => ERROR_MORE_DATA,
        libc::ENOSPC => ERROR_DISK_FULL,
        libc::EDQUOT => ERROR_DISK_QUOTA_EXCEEDED,
        libc::EFBIG => ERROR_FILE_TOO_LARGE,
        libc::EIO => ERROR_IO_DEVICE,
        _ => ERROR_GEN_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::com::Direction::{Read, Write};

    #[test]
    fn ends_are_those_of_the_kind() {
        assert_eq!(outcome(Kind::File, Read, 10, 0, 0), (ERROR_HANDLE_EOF, 0));
        assert_eq!(outcome(Kind::Pipe, Read, 10, 0, 0), (ERROR_BROKEN_PIPE, 0));
        assert_eq!(outcome(Kind::Socket, Read, 10, 0, 0), (0, 0));
        assert_eq!(outcome(Kind::File, Read, 0, 0, 0), (0, 0));
        assert_eq!(outcome(Kind::File, Write, 10, 0, 0), (0, 0));
    }

    #[test]
    fn bytes_before_an_error_are_told() {
        assert_eq!(
            outcome(Kind::Pipe, Write, 10, 4, -libc::EPIPE),
            (ERROR_BROKEN_PIPE, 4)
        );
        assert_eq!(outcome(Kind::Pipe, Write, 10, 4, 6), (0, 10));
        assert_eq!(
            outcome(Kind::Socket, Read, 10, 0, -libc::ECANCELED),
            (ERROR_OPERATION_ABORTED, 0)
        );
    }
}
