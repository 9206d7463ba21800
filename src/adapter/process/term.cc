#include "adapter/process/term.h"

#include <fmt/format.h>

#include <charconv>

namespace gyre::process {
namespace {

constexpr const char* kTermFile = "term";

/// nullopt where it is none.
std::optional<std::uint64_t> parse_term(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  std::uint64_t term = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), term);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return term;
}

}  // namespace

Result<Term> Term::open(const std::string& path) {
  auto folder = open_folder(path);
  if (!folder) return tl::unexpected(folder.error());
  const auto text = read_file(*folder, kTermFile);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return Term(std::move(*folder), 0);
  const auto latest = parse_term(**text);
  if (!latest) {
    return fail(ErrorKind::Invalid,
                "{}/{} is damaged; remove it, and the agent obeys whichever server it meets first",
                path, kTermFile);
  }
  return Term(std::move(*folder), *latest);
}

Result<void> Term::accept(std::uint64_t term) {
  if (term < latest_) {
    return fail(ErrorKind::Conflict,
                "this server's store is of term {}, and one that was restored from a backup later "
                "has led this node; end the older server",
                term);
  }
  if (term == latest_) return {};
  auto kept = replace_file(folder_, kTermFile, fmt::format("{}\n", term), Sync::Yes);
  if (kept) latest_ = term;
  return kept;
}

}  // namespace gyre::process
