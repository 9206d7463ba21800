#include "codec/price_text.h"

#include <optional>

#include "codec/setting_reader.h"

namespace gyre::codec {
namespace {

constexpr std::size_t kFractionDigits = 6;
constexpr std::size_t kWholeDigitsMax = 9;

/// "3.5" as 3,500,000 millionths; exactly, or not at all.
std::optional<Money> money_of(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string_view rest = point == text.size() ? "" : text.substr(point + 1);
  while (rest.ends_with('0')) rest.remove_suffix(1);
  if (whole.empty() || whole.size() > kWholeDigitsMax || rest.size() > kFractionDigits) {
    return std::nullopt;
  }
  std::string digits(whole);
  digits += rest;
  digits.append(kFractionDigits - rest.size(), '0');
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value);
  const bool all_digits = digits.find_first_not_of("0123456789") == std::string::npos;
  if (error != std::errc{} || at != end || !all_digits) return std::nullopt;
  return Money{value};
}

class PriceReader : public SettingReader<PriceReader, PriceList> {
 public:
  void root(const SpecNode& node, PriceList& out) {
    table(node, out,
          {{"version", &PriceReader::version},
           {"gpu_hour", [](auto& r, auto& n, auto& s) { r.gpu_hour(n, s); }},
           {"cpu_hour", [](auto& r, auto& n, auto& s) { r.money(n, s.cpu_hour); }},
           {"memory_hour", [](auto& r, auto& n, auto& s) { r.money(n, s.memory_hour); }}});
    require(node, "version");
    require(node, "gpu_hour");
  }

 private:
  void money(const SpecNode& node, Money& out) {
    const auto value = money_of(node.text);
    if (node.kind != Kind::Number || !value) {
      return problem(node,
                     "expected US dollars, as in 2.50, with six digits behind the point at most");
    }
    out = *value;
  }

  void gpu_hour(const SpecNode& node, PriceList& out) {
    if (node.kind != Kind::Map) return money(node, out.gpu_hour);
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const std::string& name = node.keys[i].name;
      const std::size_t length = path_.size();
      path_ += "." + printable(name);
      if (name == "default") {
        money(node.items[i], out.gpu_hour);
      } else if (name.empty() || name.size() > kNameBytesMax || printable(name) != name) {
        problem(node.items[i], "expected the name of a GPU model, as 'gyre nodes' shows it");
      } else {
        money(node.items[i], out.models.emplace_back(PriceList::Model{name, {}}).gpu_hour);
      }
      path_.resize(length);
    }
    require(node, "default");
  }
};

}  // namespace

Result<PriceList> read_prices(std::string_view text) { return PriceReader::read(text); }

}  // namespace gyre::codec
