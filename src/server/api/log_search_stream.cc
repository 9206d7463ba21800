#include "server/api/log_search_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "server/api/json_text.h"

namespace gyre::server {
namespace {

constexpr std::uint64_t kProgressBytes = 4'194'304;  // from one "progress" to the next

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

/// What is told of a line that matches at `at`.
std::string excerpt(std::string_view line, std::size_t at) {
  if (line.size() > LineSearch::kShownMax) {
    std::size_t begin =
        std::min(at - std::min(at, LineSearch::kShownMax / 4), line.size() - LineSearch::kShownMax);
    while (begin < at && (static_cast<unsigned char>(line[begin]) & 0xc0U) == 0x80U) ++begin;
    line.remove_prefix(begin);
    line = line.substr(0, utf8_cut(line, LineSearch::kShownMax));
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  return std::string(line);
}

void write_event(std::string& out, std::string_view name, JsonText data) {
  fmt::format_to(std::back_inserter(out), "event: {}\ndata: {}\n\n", name, data.take());
}

}  // namespace

LineSearch::LineSearch(std::string_view text) : wanted_(lowered(text)) {}

/// Of `lines`, which begin at `begin_`, each whole.
void LineSearch::search(std::string_view lines, std::vector<Line>& found) const {
  const std::string low = lowered(lines);
  for (std::size_t from = 0;;) {
    const std::size_t at = low.find(wanted_, from);
    if (at == low.npos) return;
    const std::size_t before = at == 0 ? low.npos : low.rfind('\n', at - 1);
    const std::size_t begin = before == low.npos ? 0 : before + 1;
    const std::size_t end = std::min(low.find('\n', at), low.size());
    found.push_back({begin_ + begin, excerpt(lines.substr(begin, end - begin), at - begin)});
    from = end;
  }
}

std::vector<LineSearch::Line> LineSearch::take(std::uint64_t offset, std::string_view piece) {
  std::vector<Line> found;
  if (offset != begin_ + open_.size()) {
    found = end();
    begin_ = offset;
  }
  open_ += piece;
  const std::size_t last = open_.rfind('\n');
  std::size_t whole = last == open_.npos ? 0 : last + 1;
  // What may be the beginning of the text stays, for the part that follows.
  if (open_.size() - whole > kLineMax) whole = open_.size() - (wanted_.size() - 1);
  search(std::string_view(open_).substr(0, whole), found);
  open_.erase(0, whole);
  begin_ += whole;
  return found;
}

std::vector<LineSearch::Line> LineSearch::end() {
  std::vector<Line> found;
  search(open_, found);
  begin_ += open_.size();
  open_.clear();
  return found;
}

LogSearchStream::LogSearchStream(LogReader read_log, act::LogQuery query, act::LogChunk first,
                                 std::string_view text, std::size_t lines_max)
    : read_log_(std::move(read_log)),
      query_(query),
      first_(std::move(first)),
      search_(text),
      lines_left_(lines_max) {}

/// False: there are more than may be told.
bool LogSearchStream::tell(std::vector<LineSearch::Line> lines, std::string& out) {
  for (const LineSearch::Line& line : lines) {
    if (lines_left_ == 0) return false;
    --lines_left_;
    JsonText text;
    text.open('{').member("offset", line.offset).member("text", line.text).close('}');
    write_event(out, "line", std::move(text));
  }
  return true;
}

http::Stream::State LogSearchStream::finish(bool more, std::string& out) {
  JsonText text;
  text.open('{').member("attempt", query_.attempt).member("searched", query_.offset);
  text.member("size", size_).member("dropped", dropped_).member("more", more).close('}');
  write_event(out, "end", std::move(text));
  return State::End;
}

http::Stream::State LogSearchStream::take(const act::LogChunk& chunk, std::string& out) {
  query_.attempt = chunk.attempt;
  query_.offset = chunk.next_offset;
  size_ = chunk.size;
  dropped_ += chunk.dropped;
  if (!tell(search_.take(chunk.next_offset - chunk.data.size(), chunk.data), out)) {
    return finish(true, out);
  }
  if (chunk.next_offset >= chunk.size || (chunk.data.empty() && chunk.dropped == 0)) {
    return finish(!tell(search_.end(), out), out);
  }
  if (query_.offset >= told_ + kProgressBytes) {
    told_ = query_.offset;
    JsonText text;
    text.open('{').member("searched", told_).member("size", size_).close('}');
    write_event(out, "progress", std::move(text));
  }
  return State::More;
}

http::Stream::State LogSearchStream::read(std::string& out) {
  if (const auto first = std::exchange(first_, std::nullopt)) return take(*first, out);
  const auto chunk =
      question_.answer_to([this](auto done) { read_log_(query_, std::move(done)); }, wake_);
  if (!chunk) return State::Idle;
  if (*chunk) return take(**chunk, out);
  JsonText text;
  text.open('{').member("detail", chunk->error().message).close('}');
  write_event(out, "failed", std::move(text));
  return State::End;
}

}  // namespace gyre::server
