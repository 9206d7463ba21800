#include "sim/traces/csv_reader.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace gyre::sim {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 18;
constexpr std::size_t kLineMax = std::size_t{1} << 16;
constexpr std::size_t kFieldsMax = 1000;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

CsvReader::CsvReader(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)), buffer_(kBufferSize) {}

Result<const std::vector<std::string_view>*> CsvReader::next() {
  do {
    const Result<bool> more = next_line();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return nullptr;
  } while (text_.empty());
  if (auto done = split(); !done) return tl::unexpected(done.error());
  return &fields_;
}

Result<bool> CsvReader::next_line() {
  text_.clear();
  bool too_long = false;
  bool any = false;
  while (true) {
    if (begin_ == end_) {
      const Result<bool> more = fill();
      if (!more) return more;
      if (!*more) break;
    }
    any = true;
    const char* from = buffer_.data() + begin_;
    const auto* stop = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    const std::size_t count = stop ? static_cast<std::size_t>(stop - from) : end_ - begin_;
    too_long = too_long || text_.size() + count > kLineMax;
    if (!too_long) text_.append(from, count);
    begin_ += count + (stop ? 1 : 0);
    if (stop) break;
  }
  if (!any) return false;
  ++line_;
  if (too_long) {
    return fail(ErrorKind::Invalid, "{}:{}: the line has more than {} bytes; is this a CSV file?",
                name_, line_, kLineMax);
  }
  if (!text_.empty() && text_.back() == '\r') text_.pop_back();
  if (line_ == 1 && text_.starts_with(kByteOrderMark)) text_.erase(0, kByteOrderMark.size());
  return true;
}

Result<bool> CsvReader::fill() {
  if (ended_) return false;
  const Result<std::size_t> got = source_->read(buffer_);
  if (!got) {
    ended_ = true;
    return fail(ErrorKind::Internal, "{}: {}", name_, got.error().message);
  }
  begin_ = 0;
  end_ = *got;
  ended_ = *got == 0;
  return !ended_;
}

Result<void> CsvReader::split() {
  fields_.clear();
  if (text_.find('\0') != std::string::npos) {
    return fail(ErrorKind::Invalid, "{}:{}: the line holds a zero byte; is this a CSV file?", name_,
                line_);
  }
  std::size_t at = 0;
  while (true) {
    if (fields_.size() == kFieldsMax) {
      return fail(ErrorKind::Invalid, "{}:{}: the row has more than {} fields", name_, line_,
                  kFieldsMax);
    }
    if (at < text_.size() && text_[at] == '"') {
      if (auto done = take_quoted(at); !done) return done;
    } else {
      const std::size_t comma = std::min(text_.find(',', at), text_.size());
      const std::string_view field = std::string_view(text_).substr(at, comma - at);
      if (field.find('"') != std::string_view::npos) {
        return fail(ErrorKind::Invalid,
                    "{}:{}: field {} has a quote inside; quote the whole field and double the "
                    "quotes in it",
                    name_, line_, fields_.size() + 1);
      }
      fields_.push_back(field);
      at = comma;
    }
    if (at == text_.size()) return {};
    ++at;  // the comma
  }
}

Result<void> CsvReader::take_quoted(std::size_t& at) {
  const std::size_t first = at + 1;
  std::size_t from = first;
  std::size_t to = first;  // doubled quotes are closed up in place
  for (; from < text_.size(); ++from) {
    if (text_[from] == '"') {
      const bool doubled = from + 1 < text_.size() && text_[from + 1] == '"';
      if (!doubled) break;
      ++from;
    }
    text_[to++] = text_[from];
  }
  if (from == text_.size()) {
    return fail(ErrorKind::Invalid, "{}:{}: the quoted field {} does not end on its line", name_,
                line_, fields_.size() + 1);
  }
  at = from + 1;
  if (at < text_.size() && text_[at] != ',') {
    return fail(ErrorKind::Invalid, "{}:{}: field {} goes on after its closing quote", name_, line_,
                fields_.size() + 1);
  }
  fields_.push_back(std::string_view(text_).substr(first, to - first));
  return {};
}

}  // namespace gyre::sim
