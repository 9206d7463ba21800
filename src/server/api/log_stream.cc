#include "server/api/log_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/base64.h"
#include "base/utf8.h"
#include "server/api/json_text.h"
#include "server/api/parse_whole.h"

namespace gyre::server {
namespace {

/// Bytes at the end of `data` that begin a UTF-8 character whose rest is still to come.
std::size_t begun_character(std::string_view data) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, data.size()); ++back) {
    const auto byte = static_cast<unsigned char>(data[data.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string to_string(LogPosition position) {
  return fmt::format("{}.{}", position.attempt, position.offset);
}

std::optional<LogPosition> parse_log_position(std::string_view text) {
  const std::size_t dot = text.find('.');
  LogPosition position;
  if (dot == text.npos || !parse_whole(text.substr(0, dot), position.attempt) ||
      !parse_whole(text.substr(dot + 1), position.offset)) {
    return std::nullopt;
  }
  return position;
}

LogStream::LogStream(LogReader read_log, const act::LogQuery& query, EventFeed& feed,
                     FeedPosition after, Followed job)
    : read_log_(std::move(read_log)),
      query_(query),
      feed_(feed),
      after_(after),
      over_(job.over),
      gaps_(job.gaps) {}

void LogStream::open(std::function<void()> wake) {
  wake_ = wake;
  subscription_.emplace(feed_, std::move(wake));
}

void LogStream::look_for_the_end() {
  constexpr std::size_t kEventsPerLook = 1000;
  for (bool more = !over_; more && !over_;) {
    const EventFeed::Page page = feed_.read(after_, query_.job, kEventsPerLook);
    after_ = page.last;
    more = page.more;
    for (const JobEvent& event : page.events) over_ = over_ || is_final(event.transition.to);
  }
}

/// The answer, once it is there; asks where nothing is asked yet.
std::optional<Result<act::LogChunk>> LogStream::answer_to(const act::LogQuery& query) {
  return question_.answer_to([&](auto done) { read_log_(query, std::move(done)); }, wake_);
}

void LogStream::write_dropped(const act::LogChunk& chunk, std::string& out) {
  const std::uint64_t begin = query_.offset;
  query_.attempt = chunk.attempt;
  query_.offset += chunk.dropped;
  JsonText text;
  text.open('{').member("attempt", chunk.attempt).member("offset", begin);
  text.member("bytes", chunk.dropped).close('}');
  fmt::format_to(std::back_inserter(out), "id: {}\nevent: dropped\ndata: {}\n\n",
                 to_string(LogPosition{chunk.attempt, query_.offset}), text.take());
}

/// True if there was something.
bool LogStream::write_piece(const act::LogChunk& chunk, std::string& out) {
  if (chunk.dropped > 0) write_dropped(chunk, out);
  if (chunk.data.empty()) return chunk.dropped > 0;
  const bool more_comes = !(chunk.over || over_) || chunk.next_offset < chunk.size;
  std::string_view data = chunk.data;
  if (more_comes) data.remove_suffix(begun_character(data));
  if (data.empty()) return chunk.dropped > 0;
  const std::uint64_t begin = chunk.next_offset - chunk.data.size();
  query_.attempt = chunk.attempt;
  query_.offset = begin + data.size();
  JsonText text;
  text.open('{').member("attempt", chunk.attempt).member("offset", begin);
  if (valid_utf8_prefix(data) == data.size()) {
    text.member("text", data);
  } else {
    text.member("base64", encode_base64(data));
  }
  text.close('}');
  fmt::format_to(std::back_inserter(out), "id: {}\nevent: log\ndata: {}\n\n",
                 to_string(LogPosition{chunk.attempt, query_.offset}), text.take());
  return true;
}

act::LogQuery LogStream::next_attempt() const {
  act::LogQuery next = query_;
  next.attempt = *query_.attempt + 1;
  next.offset = 0;
  return next;
}

act::LogQuery LogStream::latest_attempt() const {
  act::LogQuery latest = next_attempt();
  latest.attempt.reset();
  latest.bytes_max = 0;
  return latest;
}

http::Stream::State LogStream::go_on_in(std::int32_t attempt) {
  seeks_ = Seeks::Nothing;
  query_.attempt = attempt;
  query_.offset = 0;
  return State::More;
}

http::Stream::State LogStream::read(std::string& out) {
  if (std::exchange(first_, false)) out += ":\n";  // the client sees that the stream is open
  // First the end, then the log: what was written before the end is in the log by then.
  if (!question_.is_open()) look_for_the_end();
  if (seeks_ == Seeks::Nothing) {
    const auto chunk = answer_to(query_);
    if (!chunk) return State::Idle;
    if (*chunk && write_piece(**chunk, out)) return State::More;
    if (query_.attempt) seeks_ = Seeks::Next;
  }
  if (seeks_ == Seeks::Next) {
    const auto chunk = answer_to(next_attempt());
    if (!chunk) return State::Idle;
    if (*chunk) return go_on_in(*query_.attempt + 1);
    seeks_ = gaps_ ? Seeks::Latest : Seeks::Nothing;
  }
  if (seeks_ == Seeks::Latest) {
    const auto chunk = answer_to(latest_attempt());
    if (!chunk) return State::Idle;
    seeks_ = Seeks::Nothing;
    if (*chunk && (*chunk)->attempt > *query_.attempt) return go_on_in((*chunk)->attempt);
  }
  if (!over_) return State::Poll;
  out += "event: end\ndata: {}\n\n";
  return State::End;
}

}  // namespace gyre::server
