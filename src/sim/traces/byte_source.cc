#include "sim/traces/byte_source.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace gyre::sim {
namespace {

constexpr unsigned kReadMax = 1U << 20;

/// zlib's file layer: reads gzip and, where the magic number is missing, plain bytes.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(gzFile file) : file_(file) {}
  ~FileSource() override { gzclose(file_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::size_t> read(std::span<char> into) override {
    const auto wanted = static_cast<unsigned>(std::min<std::size_t>(into.size(), kReadMax));
    const int got = gzread(file_, into.data(), wanted);
    int code = Z_OK;
    const char* message = gzerror(file_, &code);
    if (got < 0 || code == Z_BUF_ERROR) {
      if (code == Z_ERRNO) {
        return fail(ErrorKind::Internal, "cannot be read: {}",
                    std::generic_category().message(errno));
      }
      return fail(ErrorKind::Internal, "the gzip data is damaged or cut off ({})", message);
    }
    return static_cast<std::size_t>(got);
  }

 private:
  gzFile file_;
};

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}

  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), text_.size() - at_);
    std::copy_n(text_.data() + at_, count, into.data());
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  errno = 0;
  gzFile file = path == "-" ? gzdopen(0, "rb") : gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return fail(ErrorKind::NotFound, "cannot open '{}': {}", path,
                std::generic_category().message(errno == 0 ? ENOMEM : errno));
  }
  gzbuffer(file, 1U << 18);
  return std::make_unique<FileSource>(file);
}

std::unique_ptr<ByteSource> text_source(std::string text) {
  return std::make_unique<TextSource>(std::move(text));
}

Result<std::string> read_all(ByteSource& source, std::size_t bytes_max) {
  std::string all;
  std::array<char, 1 << 16> block;
  while (true) {
    const Result<std::size_t> got = source.read(block);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return all;
    if (all.size() + *got > bytes_max) {
      return fail(ErrorKind::Invalid, "has more than {} MiB", bytes_max >> 20);
    }
    all.append(block.data(), *got);
  }
}

std::string display_name(const std::string& path) {
  if (path == "-") return "standard input";
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace gyre::sim
