#pragma once

#include <string>

#include "base/result.h"

namespace gyre::adapter::sqlite {

/// Keeps other processes, and other owners in this one, out of what `path` stands for. The kernel
/// takes it back when the process ends, however it ends; the file stays. Waits 2 s for a holder.
class FileLock {
 public:
  /// Errors: Conflict, with the holder's process id; Internal.
  static Result<FileLock> take(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

}  // namespace gyre::adapter::sqlite
