/* A disk that fails when told to, for LD_PRELOAD, and that keeps a picture of what it really holds.
 *
 * In the directory $FAILING_DISK:
 *   fdatasync, fsync, write   while such a file exists, that call fails with EIO (a write after half of its bytes)
 *   directories               while it exists, fsync of a directory fails with EIO
 *   busy                      while it exists, fdatasync of a file does not return; it makes the file `syncing` first
 *   held/<inode>              what a file would contain after a loss of power
 *
 * As in Linux, pages whose writing failed count as clean afterwards: they can be read until they are evicted, but no later
 * fsync writes them ("fsyncgate", 2018). Only files below $FAILING_DISK_BELOW are looked at.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 256
#define RANGES 1024
static struct { ino_t inode; int ranges; off_t from[RANGES], to[RANGES]; } dirty[FILES];
static int files;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int told(const char *what) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAILING_DISK"), what);
    return access(path, F_OK) == 0;
}

static int watched(int fd, struct stat *about) {
    char link[64], path[4096];
    const char *below = getenv("FAILING_DISK_BELOW");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!below || length < 0 || fstat(fd, about)) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int slot(ino_t inode) {
    for (int i = 0; i < files; i++)
        if (dirty[i].inode == inode) return i;
    if (files == FILES) abort();
    dirty[files].inode = inode;
    return files++;
}

static void wrote(ino_t inode, off_t from, ssize_t count) {
    if (count <= 0) return;
    int file = slot(inode), range = dirty[file].ranges++;
    if (range == RANGES) abort();
    dirty[file].from[range] = from;
    dirty[file].to[range] = from + count;
}

static void persist(int fd, ino_t inode) {
    char path[4096], block[4096], same[64];
    int file = slot(inode);
    snprintf(path, sizeof path, "%s/held/%ju", getenv("FAILING_DISK"), (uintmax_t)inode);
    snprintf(same, sizeof same, "/proc/self/fd/%d", fd);
    int held = open(path, O_CREAT | O_WRONLY, 0600), source = open(same, O_RDONLY);
    for (int range = 0; range < dirty[file].ranges; range++)
        for (off_t at = dirty[file].from[range]; at < dirty[file].to[range];) {
            off_t left = dirty[file].to[range] - at;
            ssize_t got = pread(source, block, left < 4096 ? left : 4096, at);
            if (got <= 0) break;
            if (REAL(pwrite64)(held, block, got, at) != got) abort();
            at += got;
        }
    close(held);
    close(source);
    dirty[file].ranges = 0;
}

static int fail(int code) {
    errno = code;
    return -1;
}

static int synced(int fd, const char *name, int (*real)(int)) {
    struct stat about;
    if (!watched(fd, &about)) return real(fd);
    if (S_ISDIR(about.st_mode)) return told("directories") ? fail(EIO) : real(fd);
    if (told(name)) {
        dirty[slot(about.st_ino)].ranges = 0;
        return fail(EIO);
    }
    while (told("busy")) {
        char path[4096];
        snprintf(path, sizeof path, "%s/syncing", getenv("FAILING_DISK"));
        close(open(path, O_CREAT | O_WRONLY, 0600));
        usleep(1000);
    }
    persist(fd, about.st_ino);
    return real(fd);
}

int fdatasync(int fd) { return synced(fd, "fdatasync", REAL(fdatasync)); }
int fsync(int fd) { return synced(fd, "fsync", REAL(fsync)); }

ssize_t write(int fd, const void *bytes, size_t count) {
    struct stat about;
    if (!watched(fd, &about)) return REAL(write)(fd, bytes, count);
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (told("write")) {
        if (count < 2) return fail(EIO);
        count /= 2;
    }
    ssize_t done = REAL(write)(fd, bytes, count);
    wrote(about.st_ino, at, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    struct stat about;
    ssize_t done = REAL(pwrite64)(fd, bytes, count, at);
    if (watched(fd, &about)) wrote(about.st_ino, at, done);
    return done;
}
