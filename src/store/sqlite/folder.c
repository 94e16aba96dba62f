/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of a store: weft.db with its -wal and -shm, and the file `lock`, which the process
 * that has the store open holds locked and which has its number in it. The lock goes with the
 * process, however it ends; the file stays.
 */
#include "store/sqlite/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    const char *path;
    char *message;
    size_t message_size;
};

/* Says what could not be done and why, and gives the code that stands for errno. */
static int refuse(const struct folder *folder, const char *what)
{
    int error = errno;
    char text[128];
    snprintf(folder->message, folder->message_size, "%s %s: %s", what, folder->path,
             strerror_r(error, text, sizeof(text)));
    return error == EACCES || error == EPERM || error == EROFS ? WEFT_ERR_DENIED : WEFT_ERR_SYSTEM;
}

/* Makes the name of a new folder durable: it is an entry of the folder it is in. */
static int sync_parent(int fd)
{
    int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = parent < 0 || fsync(parent);
    if (parent >= 0)
        close(parent);
    return failed;
}

static int open_folder(const struct folder *folder, int *ret_fd)
{
    bool made = mkdir(folder->path, 0700) == 0;
    if (!made && errno != EEXIST)
        return refuse(folder, "cannot make the data folder");
    int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return refuse(folder, "cannot open the data folder");
    if (made && sync_parent(fd)) {
        int err = refuse(folder, "cannot sync the folder of the data folder");
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

static int say_busy(const struct folder *folder, int lock)
{
    char pid[16] = {0};
    ssize_t len = pread(lock, pid, sizeof(pid) - 1, 0);
    long owner = len > 0 ? strtol(pid, NULL, 10) : 0;
    if (owner > 0)
        snprintf(folder->message, folder->message_size,
                 "the data folder %s is in use by process %ld", folder->path, owner);
    else
        snprintf(folder->message, folder->message_size,
                 "the data folder %s is in use by another process", folder->path);
    return WEFT_ERR_BUSY;
}

static int lock_folder(const struct folder *folder, int fd, int *ret_lock)
{
    char pid[32];
    int lock = openat(fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return refuse(folder, "cannot write to the data folder");
    int err = 0;
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (flock(lock, LOCK_EX | LOCK_NB))
        err = errno == EWOULDBLOCK ? say_busy(folder, lock)
                                   : refuse(folder, "cannot lock the data folder");
    else if (ftruncate(lock, 0) || pwrite(lock, pid, (size_t)len, 0) != len)
        err = refuse(folder, "cannot write to the data folder");
    if (err) {
        close(lock);
        return err;
    }
    *ret_lock = lock;
    return 0;
}

/* SQLite would let others read a database that it makes itself. */
static int make_file(const struct folder *folder, int fd)
{
    int file = openat(fd, "weft.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return refuse(folder, "cannot write to the data folder");
    close(file);
    return fsync(fd) ? refuse(folder, "cannot sync the data folder") : 0;
}

int weft__sqlite_folder_open(const char *path, int *ret_lock_fd, char *ret_message,
                             size_t message_size)
{
    const struct folder folder = {path, ret_message, message_size};
    int fd = -1;
    int lock = -1;
    int err = open_folder(&folder, &fd);
    if (err)
        return err;
    err = lock_folder(&folder, fd, &lock);
    if (!err) {
        err = make_file(&folder, fd);
        if (err)
            close(lock);
        else
            *ret_lock_fd = lock;
    }
    close(fd);
    return err;
}
