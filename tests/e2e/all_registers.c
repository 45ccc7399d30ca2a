/* linux.uml 6.1 sets a process's registers in a buffer of 2,696 bytes. ptrace(2) wants all that the
 * CPU can save (PTRACE_SETREGSET, NT_X86_XSTATE), which is more on a CPU with AMX, and refuses with
 * EFAULT. Loaded into linux.uml with LD_PRELOAD, this adds the rest, as the process has it. */

#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

long ptrace(enum __ptrace_request request, ...)
{
    static char all_bytes[65536] __attribute__((aligned(64)));
    struct iovec all = {all_bytes, sizeof all_bytes};
    va_list arguments;
    va_start(arguments, request);
    long process = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);

    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word; /* glibc returns it, the kernel stores it */
        long failed = syscall(SYS_ptrace, request, process, address, &word);
        return failed ? failed : word;
    }
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
        const struct iovec *some = data;
        if (syscall(SYS_ptrace, PTRACE_GETREGSET, process, address, &all) == 0 &&
            all.iov_len > some->iov_len) {
            memcpy(all_bytes, some->iov_base, some->iov_len);
            data = &all;
        }
    }
    return syscall(SYS_ptrace, request, process, address, data);
}
