/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VFS of SQLite whose disk can lose its power. It stands in front of the default one and keeps,
 * for every file, what is surely on the disk and which writes are still on their way:
 *
 *   image (as of the last xSync) ◄── pending: write, write, truncate, delete …
 *
 * At the cut everything freezes and every further call fails. power_restore then makes a folder as
 * it might look afterwards: the images, with none, some or all of the pending writes, in parts of
 * 512 bytes if so chosen. A file that was made but never synced may be missing.
 *
 * It also fails on request: no room left, or a sync that reports an error.
 */
#ifndef WEFT_TESTS_UNIT_STORE_POWERCUT_VFS_H
#define WEFT_TESTS_UNIT_STORE_POWERCUT_VFS_H

#include "unit/store/store_support.h"

#include <sqlite3.h>

enum { POWER_SECTOR = 512, POWER_FILES = 8 };

enum power_kind { POWER_WRITE, POWER_TRUNCATE, POWER_DELETE };

/* What happens to writes that were not synced. */
enum power_fate {
    POWER_FATE_NONE,    /* all are lost */
    POWER_FATE_SOME,    /* each is lost or not */
    POWER_FATE_SECTORS, /* each sector of each is lost or not */
    POWER_FATE_FIRST,   /* a number of the first ones is there, then one in part */
    POWER_FATE_ALL,     /* the disk had just got round to them */
    POWER_FATE_COUNT,
};

struct power_pending {
    struct power_pending *next;
    enum power_kind kind;
    size_t offset; /* of a write; the new length of a truncation */
    size_t len;
    uint8_t data[];
};

struct power_file {
    char path[128];
    bool known;
    bool there; /* in the image */
    uint8_t *image;
    size_t len;
    size_t cap;
    struct power_pending *first;
    struct power_pending **last;
};

struct power {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    pthread_mutex_t mutex;
    struct power_file files[POWER_FILES];
    struct test_random rng;
    bool cut;
    uint64_t calls;  /* writes and syncs so far */
    uint64_t cut_at; /* this call does not happen; 0: none */
    bool full;       /* no room for writes to the log */
    int fail_syncs;  /* so many syncs report an error */
    uint64_t syncs;
};

struct power_handle {
    sqlite3_file base;
    struct power *power;
    struct power_file *file; /* NULL for temporary files */
    sqlite3_file *real;      /* behind this struct */
};

/* ---- Images ---- */

static void power_image_resize(struct power_file *file, size_t len)
{
    if (len > file->cap) {
        file->cap = len * 2;
        file->image = realloc(file->image, file->cap);
        assert_non_null(file->image);
    }
    if (len > file->len) {
        memset(file->image + file->len, 0, len - file->len);
    }
    file->len = len;
}

static void power_image_write(struct power_file *file, size_t offset, const uint8_t *data,
                              size_t len)
{
    file->there = true;
    if (len == 0)
        return;
    if (file->len < offset + len)
        power_image_resize(file, offset + len);
    memcpy(file->image + offset, data, len);
}

/* Applies |op|, all or some sectors of it. */
static void power_image_apply(struct power_file *file, const struct power_pending *op,
                              struct test_random *torn)
{
    if (op->kind == POWER_DELETE) {
        file->there = false;
        file->len = 0;
        return;
    }
    file->there = true;
    if (op->kind == POWER_TRUNCATE) {
        power_image_resize(file, op->offset);
        return;
    }
    for (size_t at = 0; at < op->len;) {
        size_t sector_end = (op->offset + at) / POWER_SECTOR * POWER_SECTOR + POWER_SECTOR;
        size_t len = torn ? sector_end - (op->offset + at) : op->len;
        len = len < op->len - at ? len : op->len - at;
        if (!torn || test_random_one_in(torn, 2))
            power_image_write(file, op->offset + at, op->data + at, len);
        at += len;
    }
}

static void power_pending_clear(struct power_file *file)
{
    while (file->first) {
        struct power_pending *op = file->first;
        file->first = op->next;
        free(op);
    }
    file->last = &file->first;
}

static void power_pending_add(struct power_file *file, enum power_kind kind, size_t offset,
                              const void *data, size_t len)
{
    struct power_pending *op = malloc(sizeof(*op) + len);
    assert_non_null(op);
    op->next = NULL;
    op->kind = kind;
    op->offset = offset;
    op->len = len;
    if (len)
        memcpy(op->data, data, len);
    *file->last = op;
    file->last = &op->next;
}

/* What is pending is on the disk now, and so is the file's name. */
static void power_file_synced(struct power_file *file)
{
    file->there = true;
    for (struct power_pending *op = file->first; op; op = op->next)
        power_image_apply(file, op, NULL);
    power_pending_clear(file);
}

static struct power_file *power_file_find(struct power *power, const char *path)
{
    for (int i = 0; i < POWER_FILES; i++)
        if (power->files[i].known && !strcmp(power->files[i].path, path))
            return &power->files[i];
    for (int i = 0; i < POWER_FILES; i++) {
        struct power_file *file = &power->files[i];
        if (file->known)
            continue;
        assert_true(strlen(path) < sizeof(file->path));
        strcpy(file->path, path);
        file->known = true;
        file->last = &file->first;
        /* What was made before and not through this VFS is taken as durable. */
        FILE *in = fopen(path, "rb");
        if (in) {
            uint8_t block[4096];
            size_t len;
            file->there = true;
            while ((len = fread(block, 1, sizeof(block), in)) > 0)
                power_image_write(file, file->len, block, len);
            fclose(in);
        }
        return file;
    }
    fail_msg("too many files");
    return NULL;
}

/* ---- Methods of files ---- */

/* Counts a call that changes the disk. False when the power is gone. */
static bool power_alive(struct power *power)
{
    if (!power->cut && ++power->calls == power->cut_at)
        power->cut = true;
    return !power->cut;
}

static struct power_handle *power_of(sqlite3_file *file)
{
    return (struct power_handle *)(void *)file;
}

static int power_close(sqlite3_file *file)
{
    return power_of(file)->real->pMethods->xClose(power_of(file)->real);
}

static int power_read(sqlite3_file *file, void *ret, int len, sqlite3_int64 offset)
{
    struct power_handle *handle = power_of(file);
    pthread_mutex_lock(&handle->power->mutex);
    bool cut = handle->power->cut;
    pthread_mutex_unlock(&handle->power->mutex);
    if (cut)
        return SQLITE_IOERR_READ;
    return handle->real->pMethods->xRead(handle->real, ret, len, offset);
}

static int power_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    struct power_handle *handle = power_of(file);
    struct power *power = handle->power;
    pthread_mutex_lock(&power->mutex);
    bool was_cut = power->cut;
    int rc = SQLITE_IOERR_WRITE;
    if (power->full && handle->file && strstr(handle->file->path, "-wal"))
        rc = SQLITE_FULL;
    else if (power_alive(power))
        rc = handle->real->pMethods->xWrite(handle->real, data, len, offset);
    /* The write in which the power goes may get to the disk in part. */
    if (handle->file && !was_cut && rc != SQLITE_FULL)
        power_pending_add(handle->file, POWER_WRITE, (size_t)offset, data, (size_t)len);
    pthread_mutex_unlock(&power->mutex);
    return rc;
}

static int power_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    struct power_handle *handle = power_of(file);
    pthread_mutex_lock(&handle->power->mutex);
    int rc = SQLITE_IOERR_TRUNCATE;
    if (power_alive(handle->power)) {
        rc = handle->real->pMethods->xTruncate(handle->real, len);
        if (handle->file)
            power_pending_add(handle->file, POWER_TRUNCATE, (size_t)len, NULL, 0);
    }
    pthread_mutex_unlock(&handle->power->mutex);
    return rc;
}

/* Nothing is really synced: the images are what counts, and the tests are fast. */
static int power_sync(sqlite3_file *file, int flags)
{
    struct power_handle *handle = power_of(file);
    struct power *power = handle->power;
    (void)flags;
    pthread_mutex_lock(&power->mutex);
    int rc = SQLITE_IOERR_FSYNC;
    if (power_alive(power) && power->fail_syncs > 0) {
        power->fail_syncs--;
    } else if (!power->cut) {
        if (handle->file)
            power_file_synced(handle->file);
        power->syncs++;
        rc = SQLITE_OK;
    }
    pthread_mutex_unlock(&power->mutex);
    return rc;
}

static int power_file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return power_of(file)->real->pMethods->xFileSize(power_of(file)->real, ret_size);
}

static int power_lock(sqlite3_file *file, int level)
{
    return power_of(file)->real->pMethods->xLock(power_of(file)->real, level);
}

static int power_unlock(sqlite3_file *file, int level)
{
    return power_of(file)->real->pMethods->xUnlock(power_of(file)->real, level);
}

static int power_check_lock(sqlite3_file *file, int *ret_locked)
{
    return power_of(file)->real->pMethods->xCheckReservedLock(power_of(file)->real, ret_locked);
}

static int power_control(sqlite3_file *file, int op, void *arg)
{
    return power_of(file)->real->pMethods->xFileControl(power_of(file)->real, op, arg);
}

static int power_sector_size(sqlite3_file *file)
{
    return power_of(file)->real->pMethods->xSectorSize(power_of(file)->real);
}

static int power_characteristics(sqlite3_file *file)
{
    return power_of(file)->real->pMethods->xDeviceCharacteristics(power_of(file)->real);
}

static int power_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return power_of(file)->real->pMethods->xShmMap(power_of(file)->real, page, size, extend, ret);
}

static int power_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return power_of(file)->real->pMethods->xShmLock(power_of(file)->real, offset, count, flags);
}

static void power_shm_barrier(sqlite3_file *file)
{
    power_of(file)->real->pMethods->xShmBarrier(power_of(file)->real);
}

static int power_shm_unmap(sqlite3_file *file, int erase)
{
    return power_of(file)->real->pMethods->xShmUnmap(power_of(file)->real, erase);
}

static const sqlite3_io_methods POWER_METHODS = {
    .iVersion = 2,
    .xClose = power_close,
    .xRead = power_read,
    .xWrite = power_write,
    .xTruncate = power_truncate,
    .xSync = power_sync,
    .xFileSize = power_file_size,
    .xLock = power_lock,
    .xUnlock = power_unlock,
    .xCheckReservedLock = power_check_lock,
    .xFileControl = power_control,
    .xSectorSize = power_sector_size,
    .xDeviceCharacteristics = power_characteristics,
    .xShmMap = power_shm_map,
    .xShmLock = power_shm_lock,
    .xShmBarrier = power_shm_barrier,
    .xShmUnmap = power_shm_unmap,
};

/* ---- Methods of the VFS ---- */

static int power_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    struct power *power = vfs->pAppData;
    struct power_handle *handle = power_of(file);
    memset(handle, 0, sizeof(*handle));
    handle->power = power;
    handle->real = (sqlite3_file *)(void *)(handle + 1);
    pthread_mutex_lock(&power->mutex);
    int rc = SQLITE_CANTOPEN;
    if (!power->cut) {
        if (name)
            handle->file = power_file_find(power, name);
        rc = power->real->xOpen(power->real, name, handle->real, flags, ret_flags);
    }
    pthread_mutex_unlock(&power->mutex);
    if (rc == SQLITE_OK)
        handle->base.pMethods = &POWER_METHODS;
    return rc;
}

static int power_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct power *power = vfs->pAppData;
    pthread_mutex_lock(&power->mutex);
    int rc = SQLITE_IOERR_DELETE;
    if (power_alive(power)) {
        struct power_file *file = power_file_find(power, name);
        rc = power->real->xDelete(power->real, name, 0);
        power_pending_add(file, POWER_DELETE, 0, NULL, 0);
        if (rc == SQLITE_OK && sync_folder) {
            power_file_synced(file);
            file->there = false;
        }
    }
    pthread_mutex_unlock(&power->mutex);
    return rc;
}

/* Registers the VFS as |name|. */
static void power_init(struct power *power, const char *name, uint64_t seed)
{
    memset(power, 0, sizeof(*power));
    power->real = sqlite3_vfs_find(NULL);
    assert_non_null(power->real);
    power->vfs = *power->real;
    power->vfs.iVersion = 1;
    power->vfs.pNext = NULL;
    power->vfs.zName = name;
    power->vfs.pAppData = power;
    power->vfs.szOsFile = (int)sizeof(struct power_handle) + power->real->szOsFile;
    power->vfs.xOpen = power_open;
    power->vfs.xDelete = power_delete;
    pthread_mutex_init(&power->mutex, NULL);
    test_random_seed(&power->rng, seed);
    assert_int_equal(sqlite3_vfs_register(&power->vfs, 0), SQLITE_OK);
}

static void power_done(struct power *power)
{
    sqlite3_vfs_unregister(&power->vfs);
    for (int i = 0; i < POWER_FILES; i++) {
        power_pending_clear(&power->files[i]);
        free(power->files[i].image);
    }
    pthread_mutex_destroy(&power->mutex);
}

/* Takes the power away now. */
WEFT_UNUSED static void power_off(struct power *power)
{
    pthread_mutex_lock(&power->mutex);
    power->cut = true;
    pthread_mutex_unlock(&power->mutex);
}

/* Decides what became of the writes that were pending. */
static void power_decide(struct power_file *file, enum power_fate fate, struct test_random *rng)
{
    size_t count = 0;
    for (struct power_pending *op = file->first; op; op = op->next)
        count++;
    size_t kept = (size_t)test_random_below(rng, count + 1);
    for (struct power_pending *op = file->first; op; op = op->next) {
        bool keep = fate == POWER_FATE_SECTORS || fate == POWER_FATE_ALL;
        if (fate == POWER_FATE_SOME)
            keep = test_random_one_in(rng, 2);
        bool torn = fate == POWER_FATE_SECTORS;
        if (fate == POWER_FATE_FIRST) {
            keep = kept > 0;
            torn = kept == 1;
            kept -= keep;
        }
        if (keep)
            power_image_apply(file, op, torn ? rng : NULL);
    }
    power_pending_clear(file);
}

/* Fills |folder| with what is on the disk once the power is back. */
WEFT_UNUSED static void power_restore(struct power *power, enum power_fate fate, const char *folder)
{
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int i = 0; i < POWER_FILES; i++) {
        struct power_file *file = &power->files[i];
        if (!file->known)
            continue;
        power_decide(file, fate, &power->rng);
        if (!file->there)
            continue;
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, strrchr(file->path, '/') + 1);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        if (file->len)
            assert_int_equal(fwrite(file->image, 1, file->len, out), file->len);
        assert_int_equal(fclose(out), 0);
    }
}

#endif
