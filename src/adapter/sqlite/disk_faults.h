#pragma once

// A disk that fails under SQLite, for the tests of this adapter; not part of the program.

#include <functional>

namespace gyre::adapter::sqlite {

/// While it lives, all that SQLite writes goes by `before`, with the number of the write, from 0
/// on; it may return an errno, with which that write fails. One at a time, of one thread.
class DiskFaults {
 public:
  using Before = std::function<int(int)>;

  explicit DiskFaults(Before before);
  ~DiskFaults();
  DiskFaults(const DiskFaults&) = delete;
  DiskFaults& operator=(const DiskFaults&) = delete;

  int writes() const;
};

}  // namespace gyre::adapter::sqlite
