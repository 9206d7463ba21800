// Preloaded into the server: each sync of a file takes GYRE_TEST_SYNC_MS longer while the file that
// GYRE_TEST_SLOW_WHILE names is there.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace {

void linger() {
  const char* path = getenv("GYRE_TEST_SLOW_WHILE");
  const char* pause = getenv("GYRE_TEST_SYNC_MS");
  if (path != nullptr && pause != nullptr && access(path, F_OK) == 0) usleep(1000 * atoi(pause));
}

int next(const char* name, int file) {
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(file);
}

}  // namespace

extern "C" int fsync(int file) {
  linger();
  return next("fsync", file);
}

extern "C" int fdatasync(int file) {
  linger();
  return next("fdatasync", file);
}
