#include "codec/import/importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "codec/import/draft.h"
#include "codec/job_spec_text.h"

namespace gyre::codec::import {
namespace {

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::size_t first = text.substr(0, end).find_first_not_of(" \t\r");
    if (first != std::string_view::npos && text[first] != '#') return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

void shift(SpecNode& node, int lines) {
  node.line += lines;
  for (SpecNode::Key& key : node.keys) key.line += lines;
  for (SpecNode& item : node.items) shift(item, lines);
}

/// The documents of a YAML stream: a line `---` parts them, in whatever scalar it stands
/// (YAML 1.2, section 9.1.4). Line numbers stay those of the whole text.
Result<std::vector<SpecNode>> documents_of(std::string_view text) {
  if (text.size() > kSpecBytesMax) {
    return fail(ErrorKind::Invalid, "the text has {} bytes; at most {}", text.size(),
                kSpecBytesMax);
  }
  std::vector<SpecNode> documents;
  std::string part;
  int lines = 0;
  int lines_before = 0;  // the part
  const auto close = [&]() -> Result<void> {
    if (is_blank(part)) return {};
    if (documents.size() == kJobsMax) {
      return fail(ErrorKind::Invalid, "more than {} documents", kJobsMax);
    }
    auto tree = parse_spec_tree(part, SpecFormat::Auto);
    if (!tree) {
      if (tree.error().line > 0) tree.error().line += lines_before;
      return tl::unexpected(Error{tree.error().kind, describe(tree.error())});
    }
    shift(*tree, lines_before);
    documents.push_back(std::move(*tree));
    return {};
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++lines;
    const bool marker = line.starts_with("---") &&
                        (line.size() == 3 || line[3] == ' ' || line[3] == '\r' || line[3] == '\t');
    if (marker) {
      if (auto closed = close(); !closed) return tl::unexpected(closed.error());
      part.clear();
      lines_before = lines;
    } else {
      part += line;
      part += '\n';
    }
  }
  if (auto closed = close(); !closed) return tl::unexpected(closed.error());
  return documents;
}

bool looks_like_sbatch(std::string_view text) {
  return text.starts_with("#!") || text.starts_with("#SBATCH") ||
         text.find("\n#SBATCH") != std::string_view::npos;
}

Result<Format> recognise(const std::vector<SpecNode>& documents) {
  for (const SpecNode& node : documents) {
    if (has(node, "apiVersion") && has(node, "kind")) return Format::Kubernetes;
    if (has(node, "type")) return Format::Dstack;
    if (has(node, "run") || has(node, "setup") || has(node, "num_nodes") || has(node, "service")) {
      return Format::Skypilot;
    }
  }
  return fail(ErrorKind::Invalid,
              "it is none of the files that are known: a dstack task (type:), a SkyPilot task "
              "(run:), an sbatch script (#SBATCH), a Kubernetes Job (apiVersion:, kind:)");
}

Result<std::vector<Draft>> convert(std::string_view text, Format& format) {
  if (format == Format::Auto && looks_like_sbatch(text)) format = Format::Sbatch;
  if (format == Format::Sbatch) return from_sbatch(text);
  const auto documents = documents_of(text);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->empty()) return fail(ErrorKind::Invalid, "there is nothing in it");
  if (format == Format::Auto) {
    const auto found = recognise(*documents);
    if (!found) return tl::unexpected(found.error());
    format = *found;
  }
  if (format == Format::Kubernetes) return from_kubernetes(*documents);
  if (format == Format::Skypilot) return from_skypilot(*documents);
  if (documents->size() > 1) {
    return fail(ErrorKind::Invalid, "a dstack file has one configuration, and this has {}",
                documents->size());
  }
  return from_dstack(documents->front());
}

}  // namespace

Result<Import> import_jobs(std::string_view text, Format format) {
  auto drafts = convert(text, format);
  if (!drafts) return tl::unexpected(drafts.error());
  Import out;
  out.format = format;
  std::size_t unlisted = 0;
  for (Draft& draft : *drafts) {
    const auto shown = to_yaml(draft.spec);
    if (!shown) return tl::unexpected(shown.error());
    auto read = read_job_spec(*shown, SpecFormat::Yaml);
    if (!read) return fail(read.error().kind, "what it asks for: {}", read.error().message);
    out.jobs.push_back(std::move(*read));
    for (std::string& note : draft.notes) {
      if (out.notes.size() < kNotesMax) {
        out.notes.push_back(std::move(note));
      } else {
        ++unlisted;
      }
    }
  }
  if (out.jobs.empty()) return fail(ErrorKind::Invalid, "there is no job in it");
  if (unlisted > 0) out.notes.push_back(fmt::format("and {} notes more", unlisted));
  return out;
}

std::string_view to_string(Format format) {
  constexpr std::array<std::string_view, 5> kNames{"auto", "dstack", "skypilot", "sbatch", "k8s"};
  return kNames[static_cast<std::size_t>(format)];
}

}  // namespace gyre::codec::import
