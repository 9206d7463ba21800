#include "server/api/artifact_stream.h"

#include <algorithm>
#include <utility>

#include "server/api/parse_whole.h"

namespace gyre::server {
namespace {

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  return parse_whole(text, number) ? std::optional(number) : std::nullopt;
}

}  // namespace

http::Stream::State ArtifactStream::read(std::string& out) {
  part_.bytes_max = std::min<std::uint64_t>(act::kArtifactPieceMax, end_ - part_.offset);
  if (part_.bytes_max == 0) return State::End;
  auto answer = question_.answer_to([&](auto done) { read_(part_, std::move(done)); }, wake_);
  if (!answer) return State::Idle;
  const auto* piece = *answer ? std::get_if<act::ArtifactPiece>(&**answer) : nullptr;
  if (piece == nullptr || piece->data.empty()) return State::End;
  out += piece->data;
  part_.offset += piece->data.size();
  return part_.offset < end_ ? State::More : State::End;
}

Result<ByteRange> byte_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const ByteRange all{0, size, false};
  if (!header.starts_with(kUnit)) return all;
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return all;
  const auto first = number_in(header.substr(0, dash));
  const auto last = number_in(header.substr(dash + 1));
  const bool open_end = dash + 1 == header.size();
  const auto beyond = [size] {
    return fail(ErrorKind::Invalid, "the artifact has {} bytes, and the part begins behind them",
                size);
  };
  if (dash == 0 && last) {  // the last so many
    if (*last == 0 || size == 0) return beyond();
    return ByteRange{size - std::min(*last, size), size, true};
  }
  if (!first || (!last && !open_end) || (last && *last < *first)) return all;
  if (*first >= size) return beyond();
  return ByteRange{*first, last ? std::min(*last, size - 1) + 1 : size, true};
}

}  // namespace gyre::server
