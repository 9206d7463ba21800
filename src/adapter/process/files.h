#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gyre::process {

/// A file descriptor that is closed with its owner. Move only.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset();

 private:
  int number_ = -1;
};

/// What the operating system calls the error `number`; thread-safe, unlike strerror().
std::string error_text(int number);

/// An Error of kind Internal: `doing` failed with errno.
tl::unexpected<Error> os_error(std::string_view doing);

Result<Fd> open_folder(const std::string& path);

bool write_all(const Fd& file, std::string_view content);
/// From where it stands to its end. Errors: the disk's; more than `bytes_max`.
Result<std::string> read_all(const Fd& file, std::size_t bytes_max);

/// The files of a folder are named relative to it, so that they are the same ones wherever the
/// folder is moved to.

bool exists(const Fd& folder, const char* name);

/// nullopt where there is no such file. Errors: the disk's; a file of more than `bytes_max`.
Result<std::optional<std::string>> read_file(const Fd& folder, const char* name,
                                             std::size_t bytes_max = 16'777'216);

/// Puts a whole file in place, or leaves what was there.
enum class Sync { No, Yes };
Result<void> replace_file(const Fd& folder, const char* name, std::string_view content, Sync sync);

/// The same out of the file `old`, whose content goes. No file is made and none deleted: where
/// thousands are a minute, ext4 looks through all that were deleted lately for each new one.
Result<void> recycle_file(const Fd& folder, const char* old, const char* name,
                          std::string_view content);

/// Writes to a file the kernel owns (cgroup, proc); nothing is created.
Result<void> write_control(const std::string& path, std::string_view content);

/// A small file of the kernel's, empty where there is none.
std::string read_control(const std::string& path);

/// Names with values, in order; written with NUL bytes between, since neither arguments nor
/// environments can hold one.
using Records = std::vector<std::pair<std::string, std::string>>;
std::string encode(const Records& records);
Result<Records> decode(std::string_view text);
/// The first value of that name; empty where there is none.
std::string_view value_of(const Records& records, std::string_view name);

}  // namespace gyre::process
