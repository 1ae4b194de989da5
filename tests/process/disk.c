/* A disk that can be told to fail, preloaded into a daemon by test_bad_disks.py.

   DISK names a directory. For each file of a journal it keeps there, under the number of its inode, what would be left
   after a power failure: bytes get there by an fsync that succeeds, and in no other way. While the file `fails` is there,
   fsync fails with EIO, and what was written before it is clean all the same, as Linux has it: no later fsync writes it.
   While `hangs` is there, fsync waits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) static typeof(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define DIRTY 200000

static struct { ino_t file; off_t from, to; } dirty[DIRTY];
static int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int told(const char *what) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", getenv("DISK"), what);
  return access(path, F_OK) == 0;
}

static int is_journal(const char *path) {
  return getenv("DISK") && strstr(path, "journal.sqlite3") && !strstr(path, "-lock") && !strstr(path, "-shm");
}

static ino_t journal(int fd) { /* the inode of a journal's file; 0: of another */
  char link[64], path[512] = {0};
  struct stat seen;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0 || !is_journal(path) || fstat(fd, &seen) < 0) return 0;
  return seen.st_ino;
}

static void left_path(ino_t file, char *path, size_t size) { snprintf(path, size, "%s/%ld", getenv("DISK"), (long)file); }

static void wrote(int fd, off_t from, ssize_t bytes) {
  ino_t file = journal(fd);
  if (!file || bytes <= 0) return;
  pthread_mutex_lock(&lock);
  if (count == DIRTY) abort();
  dirty[count].file = file, dirty[count].from = from, dirty[count++].to = from + bytes;
  pthread_mutex_unlock(&lock);
}

static void cleaned(int fd, ino_t file, int kept) {
  REAL(pwrite64);
  char path[512], *bytes = malloc(1 << 20);
  int left, rest = 0;
  left_path(file, path, sizeof path);
  left = kept ? open(path, O_CREAT | O_WRONLY, 0600) : -1;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < count; i++) {
    if (dirty[i].file != file) { dirty[rest++] = dirty[i]; continue; }
    for (off_t at = dirty[i].from; kept && at < dirty[i].to;) {
      off_t wanted = dirty[i].to - at < 1 << 20 ? dirty[i].to - at : 1 << 20;
      ssize_t got = pread64(fd, bytes, wanted, at);
      if (got <= 0) break;
      real(left, bytes, got, at);
      at += got;
    }
  }
  count = rest;
  pthread_mutex_unlock(&lock);
  if (left >= 0) close(left);
  free(bytes);
}

static int synced(int fd, int (*real)(int)) {
  ino_t file = journal(fd);
  if (!file) return real(fd);
  while (told("hangs")) usleep(20000);
  int fails = told("fails");
  cleaned(fd, file, !fails);
  if (!fails) return real(fd);
  errno = EIO;
  return -1;
}

int fsync(int fd) { REAL(fsync); return synced(fd, real); }
int fdatasync(int fd) { REAL(fdatasync); return synced(fd, real); }

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { REAL(pwrite64); ssize_t done = real(fd, bytes, size, at); wrote(fd, at, done); return done; }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }
ssize_t write(int fd, const void *bytes, size_t size) { REAL(write); off_t at = lseek(fd, 0, SEEK_CUR); ssize_t done = real(fd, bytes, size); int was = errno; if (at >= 0) wrote(fd, at, done); errno = was; return done; }

static void cut(ino_t file, off_t size) {
  REAL(truncate);
  char path[512];
  struct stat seen;
  if (!file) return;
  left_path(file, path, sizeof path);
  if (stat(path, &seen) == 0 && seen.st_size > size && real(path, size)) abort();
}

int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); cut(journal(fd), size); return real(fd, size); }
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
int truncate(const char *path, off_t size) { REAL(truncate); struct stat seen; if (is_journal(path) && stat(path, &seen) == 0) cut(seen.st_ino, size); return real(path, size); }
int truncate64(const char *path, off64_t size) { return truncate(path, size); }

int unlink(const char *path) {
  REAL(unlink);
  struct stat seen;
  char left[512];
  if (is_journal(path) && stat(path, &seen) == 0) {
    left_path(seen.st_ino, left, sizeof left);
    real(left);
  }
  return real(path);
}
