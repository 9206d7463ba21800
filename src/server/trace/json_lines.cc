#include "server/trace/json_lines.h"

#include <cerrno>
#include <system_error>

#include "base/units.h"
#include "domain/trace_context.h"

namespace gyre::server {

void JsonLines::Closer::operator()(std::FILE* file) const {
  if (file != stdout) std::fclose(file);
}

Result<std::unique_ptr<JsonLines>> JsonLines::open(const std::string& path) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "ae");
  if (file == nullptr) {
    return fail(ErrorKind::Invalid, "cannot write to {}: {}", path,
                std::generic_category().message(errno));
  }
  return std::unique_ptr<JsonLines>(new JsonLines(file));
}

void JsonLines::write(const std::string& lines) {
  const std::lock_guard lock(mutex_);
  std::fwrite(lines.data(), 1, lines.size(), file_.get());
  std::fflush(file_.get());
}

void begin_line(JsonText& out, Time at, std::string_view level, std::string_view message) {
  out.open('{').member("time", format_utc(at)).member("level", level).member("message", message);
}

void add_trace(JsonText& out, std::string_view trace_parent) {
  if (trace_parent.empty()) return;
  if (const auto context = parse_trace_parent(trace_parent)) {
    out.member("trace_id", trace_id_text(*context));
  }
}

std::string end_line(JsonText& out) { return out.close('}').take() + '\n'; }

}  // namespace gyre::server
