#include "codec/idle_text.h"

#include "base/units.h"
#include "codec/setting_reader.h"

namespace gyre::codec {
namespace {

class IdleReader : public SettingReader<IdleReader, IdleSpec> {
 public:
  void root(const SpecNode& node, IdleSpec& out) {
    table(node, out,
          {{"version", &IdleReader::version},
           {"below", [](auto& r, auto& n, auto& s) { r.percent(n, s.below_percent); }},
           {"for", [](auto& r, auto& n, auto& s) { r.span(n, s.window); }},
           {"grace", [](auto& r, auto& n, auto& s) { r.span(n, s.grace); }},
           {"exempt", [](auto& r, auto& n, auto& s) { r.queues(n, s.exempt); }}});
    require(node, "version");
    require(node, "below");
  }

 private:
  void percent(const SpecNode& node, std::int32_t& out) {
    std::string_view text = node.text;
    if (text.ends_with('%')) text.remove_suffix(1);
    std::int32_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool scalar = node.kind == Kind::Number || node.kind == Kind::String;
    if (!scalar || error != std::errc{} || at != text.data() + text.size() || value < 1 ||
        value > 100) {
      return problem(node, "expected a whole percentage from 1% to 100%, as in 5%");
    }
    out = value;
  }
  void span(const SpecNode& node, Duration& out) {
    const auto value = parse_duration(printable(node.text));
    if (node.kind != Kind::String || !value) {
      return problem(node, "expected a time with a unit (s, m, h, d), as in 30m");
    }
    out = *value;
  }
  void queues(const SpecNode& node, std::vector<std::string>& out) {
    if (node.kind != Kind::List)
      return problem(node, "expected a list of queues, as in [notebooks]");
    for (const SpecNode& item : node.items) {
      if (item.kind != Kind::String || !is_valid_name(item.text)) {
        problem(item, "expected the name of a queue");
      } else {
        out.push_back(item.text);
      }
    }
  }
};

}  // namespace

Result<IdleSpec> read_idle(std::string_view text) { return IdleReader::read(text); }

}  // namespace gyre::codec
