/*
 * Loaded into the broker (LD_PRELOAD), keeps record of what happens to the files below one
 * directory, so that after the end of the process a test can tell what a power cut would have left.
 *
 *   POWERCUT_DIRECTORY   the directory, an absolute path; files elsewhere are none of our business
 *   POWERCUT_RECORD      the file the record is appended to
 *   POWERCUT_SYNC_MICROS a sync takes up to so long instead of what the disk takes (default 2000)
 *   POWERCUT_FAIL_SYNC   a file; while it exists, the sync of a file whose turn its number says
 *                        (counted from the start of the process) fails with EIO, and all after it
 *   POWERCUT_ROOM        so many bytes may be allocated in all files together, then ENOSPC
 *
 * The record is a sequence of entries, integers in the byte order of the machine:
 *
 *   u32 kind, u32 length of the text, u64 file, u64 a, u64 b, text
 *
 *   1 open       text: path                           a name of the file, known from now on
 *   2 create     text: path                           a new, empty file with this name
 *   3 write      a: offset            text: bytes
 *   4 truncate   a: length
 *   5 allocate   a: length at least
 *   6 sync begun a: number of the sync
 *   7 synced     a: number of the sync                what was recorded before it began is durable
 *   8 mkdir      text: path
 *   9 unlink     text: path
 *  10 rename     text: old path, 0, new path
 *  11 sync failed a: number of the sync
 *
 * An entry is written before the call it tells of returns, so whatever the broker does because of
 * that call comes later in the record. Syncs are recorded and not made: what the process has
 * written survives its end in the memory of the system anyway.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, CREATE, WRITE, TRUNCATE, ALLOCATE, SYNC_BEGUN, SYNCED, MKDIR, UNLINK, RENAME,
       SYNC_FAILED };

struct entry {
    uint32_t kind, length;
    uint64_t file, a, b;
};

#define DESCRIPTORS 65536
#define FILES 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static char directory[4096];
static size_t directory_length;
static unsigned sync_micros = 2000;
static char fail_sync[4096];
static uint64_t room, allocated;
static uint64_t syncs, file_syncs;
/* The file a descriptor belongs to; 0: not ours. */
static uint64_t of_descriptor[DESCRIPTORS];
/* Files by inode, as long as they have a name. */
static struct known {
    ino_t inode;
    uint64_t file;
    uint64_t length;
} known[FILES];
static unsigned known_count;
static uint64_t next_file = 1;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERCUT_DIRECTORY"), *to = getenv("POWERCUT_RECORD");
    if (!path || !to || strlen(path) >= sizeof directory) return;
    strcpy(directory, path);
    directory_length = strlen(directory);
    const char *micros = getenv("POWERCUT_SYNC_MICROS");
    if (micros) sync_micros = (unsigned)atoi(micros);
    const char *fail = getenv("POWERCUT_FAIL_SYNC");
    if (fail && strlen(fail) < sizeof fail_sync) strcpy(fail_sync, fail);
    const char *limit = getenv("POWERCUT_ROOM");
    if (limit) room = strtoull(limit, NULL, 10);
    record = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* A test that believes it records must not go on without. */
    if (record < 0) abort();
}

static int ours(const char *path) {
    return record >= 0 && directory_length > 0 &&
           strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == 0);
}

/* All below are called with the lock held. */

static void tell(uint32_t kind, uint64_t file, uint64_t a, const void *text, size_t length) {
    struct entry entry = {kind, (uint32_t)length, file, a, 0};
    struct iovec parts[2] = {{&entry, sizeof entry}, {(void *)text, length}};
    size_t whole = sizeof entry + length;
    ssize_t written = syscall(SYS_writev, record, parts, length ? 2 : 1);
    if (written != (ssize_t)whole) abort();
}

static struct known *by_inode(ino_t inode) {
    for (unsigned at = 0; at < known_count; at++)
        if (known[at].inode == inode) return &known[at];
    return NULL;
}

static struct known *by_file(uint64_t file) {
    for (unsigned at = 0; at < known_count; at++)
        if (known[at].file == file) return &known[at];
    return NULL;
}

static void forget(ino_t inode) {
    struct known *found = by_inode(inode);
    if (found) *found = known[--known_count];
}

static uint64_t file_of(int descriptor) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS) return 0;
    return of_descriptor[descriptor];
}

static void opened(int descriptor, const char *path, int existed, int flags) {
    struct stat status;
    if (descriptor >= DESCRIPTORS || fstat(descriptor, &status) != 0) abort();
    if (!existed) forget(status.st_ino);
    struct known *found = by_inode(status.st_ino);
    if (!found) {
        if (known_count == FILES) abort();
        found = &known[known_count++];
        found->inode = status.st_ino;
        found->file = next_file++;
        found->length = S_ISDIR(status.st_mode) ? 0 : (uint64_t)status.st_size;
        allocated += found->length;
        tell(existed ? OPEN : CREATE, found->file, 0, path, strlen(path));
    }
    if (existed && (flags & O_TRUNC)) {
        allocated -= found->length;
        found->length = 0;
        tell(TRUNCATE, found->file, 0, NULL, 0);
    }
    of_descriptor[descriptor] = found->file;
}

static int grows(uint64_t file, uint64_t to) {
    struct known *found = by_file(file);
    if (!found || to <= found->length) return 0;
    if (room && allocated + (to - found->length) > room) return -1;
    allocated += to - found->length;
    found->length = to;
    return 0;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    if (!ours(path)) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat status;
    int existed = stat(path, &status) == 0;
    int descriptor = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (descriptor >= 0) opened(descriptor, path, existed, flags);
    pthread_mutex_unlock(&lock);
    errno = error;
    return descriptor;
}

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENS(name)                                                                                \
    int name(const char *path, int flags, ...) {                                                   \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode_t mode = mode_of(flags, arguments);                                                   \
        va_end(arguments);                                                                         \
        return open_at(AT_FDCWD, path, flags, mode);                                               \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                                             \
    int name(int at, const char *path, int flags, ...) {                                           \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode_t mode = mode_of(flags, arguments);                                                   \
        va_end(arguments);                                                                         \
        return open_at(at, path, flags, mode);                                                     \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int close(int descriptor) {
    pthread_mutex_lock(&lock);
    if (descriptor >= 0 && descriptor < DESCRIPTORS) of_descriptor[descriptor] = 0;
    int outcome = (int)syscall(SYS_close, descriptor);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

static ssize_t written(int descriptor, const struct iovec *parts, int count, off_t offset) {
    pthread_mutex_lock(&lock);
    uint64_t file = file_of(descriptor);
    ssize_t outcome = -1;
    int error = 0;
    if (file && offset < 0) {
        offset = lseek(descriptor, 0, fcntl(descriptor, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
        lseek(descriptor, offset, SEEK_SET);
    }
    size_t whole = 0;
    for (int at = 0; at < count; at++) whole += parts[at].iov_len;
    if (file && grows(file, (uint64_t)offset + whole) != 0) {
        error = ENOSPC;
    } else if (file) {
        outcome = pwritev(descriptor, parts, count, offset);
        error = errno;
        uint64_t from = (uint64_t)offset;
        size_t left = outcome < 0 ? 0 : (size_t)outcome;
        for (int at = 0; at < count && left > 0; at++) {
            size_t part = parts[at].iov_len < left ? parts[at].iov_len : left;
            tell(WRITE, file, from, parts[at].iov_base, part);
            from += part;
            left -= part;
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

/* Reads without the lock: a descriptor that is being closed meanwhile is the caller's mistake. */
static int is_ours(int descriptor) {
    return record >= 0 && file_of(descriptor) != 0;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (!is_ours(descriptor)) return syscall(SYS_write, descriptor, bytes, count);
    struct iovec part = {(void *)bytes, count};
    ssize_t outcome = written(descriptor, &part, 1, -1);
    if (outcome > 0) lseek(descriptor, outcome, SEEK_CUR);
    return outcome;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    if (!is_ours(descriptor)) return syscall(SYS_writev, descriptor, parts, count);
    ssize_t outcome = written(descriptor, parts, count, -1);
    if (outcome > 0) lseek(descriptor, outcome, SEEK_CUR);
    return outcome;
}

#define WRITES_AT(name, offset_type)                                                               \
    ssize_t name(int descriptor, const void *bytes, size_t count, offset_type offset) {            \
        if (!is_ours(descriptor))                                                                  \
            return syscall(SYS_pwrite64, descriptor, bytes, count, offset);                        \
        struct iovec part = {(void *)bytes, count};                                                \
        return written(descriptor, &part, 1, offset);                                              \
    }
WRITES_AT(pwrite, off_t)
WRITES_AT(pwrite64, off64_t)

static int sync_of(int descriptor) {
    pthread_mutex_lock(&lock);
    uint64_t file = file_of(descriptor), number = ++syncs;
    struct stat status;
    int fails = 0;
    if (fail_sync[0] && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        uint64_t turn = ++file_syncs, from = 0;
        FILE *wanted = fopen(fail_sync, "re");
        if (wanted) {
            if (fscanf(wanted, "%lu", &from) == 1) fails = turn >= from;
            fclose(wanted);
        }
    }
    tell(SYNC_BEGUN, file, number, NULL, 0);
    unsigned micros = sync_micros ? (unsigned)(number * 2654435761u >> 8) % sync_micros : 0;
    pthread_mutex_unlock(&lock);

    struct timespec pause = {0, (long)micros * 1000};
    nanosleep(&pause, NULL);

    pthread_mutex_lock(&lock);
    tell(fails ? SYNC_FAILED : SYNCED, file, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = fails ? EIO : 0;
    return fails ? -1 : 0;
}

int fsync(int descriptor) {
    return is_ours(descriptor) ? sync_of(descriptor) : (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
    return is_ours(descriptor) ? sync_of(descriptor) : (int)syscall(SYS_fdatasync, descriptor);
}

static int truncated(int descriptor, off_t length) {
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_ftruncate, descriptor, length), error = errno;
    if (outcome == 0) {
        struct known *found = by_file(file_of(descriptor));
        if (found) {
            allocated += (uint64_t)length - found->length;
            found->length = (uint64_t)length;
        }
        tell(TRUNCATE, file_of(descriptor), (uint64_t)length, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

int ftruncate(int descriptor, off_t length) {
    if (!is_ours(descriptor)) return (int)syscall(SYS_ftruncate, descriptor, length);
    return truncated(descriptor, length);
}

int ftruncate64(int descriptor, off64_t length) {
    return ftruncate(descriptor, length);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    if (!is_ours(descriptor))
        return (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
    /* Nothing else is asked for, and what it would mean is not recorded. */
    if (mode != 0) abort();
    pthread_mutex_lock(&lock);
    int outcome = -1, error = ENOSPC;
    if (grows(file_of(descriptor), (uint64_t)(offset + length)) == 0) {
        outcome = (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
        error = errno;
        if (outcome == 0)
            tell(ALLOCATE, file_of(descriptor), (uint64_t)(offset + length), NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    return fallocate(descriptor, mode, offset, length);
}

int mkdir(const char *path, mode_t mode) {
    int outcome = REAL(mkdir)(path, mode), error = errno;
    if (outcome == 0 && ours(path)) {
        pthread_mutex_lock(&lock);
        struct stat status;
        if (stat(path, &status) == 0) forget(status.st_ino);
        tell(MKDIR, 0, 0, path, strlen(path));
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return outcome;
}

int unlink(const char *path) {
    if (!ours(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    struct stat status;
    int known_before = stat(path, &status) == 0;
    int outcome = REAL(unlink)(path), error = errno;
    if (outcome == 0) {
        if (known_before) {
            struct known *found = by_inode(status.st_ino);
            if (found) allocated -= found->length;
            forget(status.st_ino);
        }
        tell(UNLINK, 0, 0, path, strlen(path));
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

int rename(const char *from, const char *to) {
    if (!ours(from)) return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    struct stat replaced;
    int replaces = stat(to, &replaced) == 0;
    int outcome = REAL(rename)(from, to), error = errno;
    if (outcome == 0) {
        if (replaces) forget(replaced.st_ino);
        char both[8192 + 2];
        int length = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
        tell(RENAME, 0, 0, both, (size_t)length);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}
