#include "codec/spec_tree.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "codec/printable.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

SpecProblem problem_at(int line, int column, std::string message) {
  return {ErrorKind::Invalid, "", line, column, std::move(message), ""};
}

/// Thrown out of a parser's callbacks, caught where the parser was called.
struct Refused {
  SpecProblem problem;
};

/// Puts values that come one after the other into a tree, within the limits.
class TreeBuilder {
 public:
  void scalar(Kind kind, std::string text, int line, int column) {
    if (awaits_key()) {
      if (kind == Kind::Null) refuse(line, column, "a key is empty: write `name: value`");
      key(std::move(text), line, column);
      return;
    }
    value({kind, std::move(text), line, column, {}, {}});
  }

  void key(std::string name, int line, int column) {
    count(line, column);
    Level& level = open_.back();
    if (!level.names.insert(name).second) {
      refuse(line, column, fmt::format("'{}' is given twice", printable(name)));
    }
    level.node.keys.push_back({std::move(name), line, column});
  }

  void begin(Kind kind, int line, int column) {
    if (awaits_key()) refuse(line, column, "a key must be a name, not a list or a map");
    count(line, column);
    if (open_.size() >= static_cast<std::size_t>(kSpecDepthMax)) {
      refuse(line, column, fmt::format("nested more than {} deep", kSpecDepthMax));
    }
    open_.push_back({{kind, "", line, column, {}, {}}, {}});
  }

  void end() {
    SpecNode done = std::move(open_.back().node);
    open_.pop_back();
    place(std::move(done));
  }

  SpecNode take() { return std::move(*root_); }
  bool has_root() const { return root_.has_value(); }

  [[noreturn]] static void refuse(int line, int column, std::string message) {
    throw Refused{problem_at(line, column, std::move(message))};
  }

 private:
  struct Level {
    SpecNode node;
    std::set<std::string, std::less<>> names;
  };

  bool awaits_key() const {
    if (open_.empty()) return false;
    const SpecNode& node = open_.back().node;
    return node.kind == Kind::Map && node.keys.size() == node.items.size();
  }

  void value(SpecNode node) {
    count(node.line, node.column);
    place(std::move(node));
  }

  void place(SpecNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.items.push_back(std::move(node));
    }
  }

  void count(int line, int column) {
    if (++nodes_ > kSpecNodesMax) {
      refuse(line, column, fmt::format("more than {} values", kSpecNodesMax));
    }
  }

  std::vector<Level> open_;
  std::optional<SpecNode> root_;
  std::size_t nodes_ = 0;
};

class YamlHandler final : public YAML::EventHandler {
 public:
  explicit YamlHandler(TreeBuilder& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    tree_.scalar(Kind::Null, "", mark.line + 1, mark.column + 1);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchors(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool plain = tag == "?";
    if (!simdjson::validate_utf8(text)) {  // the library makes single bytes of these escapes
      TreeBuilder::refuse(mark.line + 1, mark.column + 1,
                          "\\N and \\_ are not supported: write \\u0085 and \\u00a0");
    }
    check(mark, plain || tag == "!" ? "" : tag, anchor);
    tree_.scalar(plain ? plain_scalar_kind(text) : Kind::String, text, mark.line + 1,
                 mark.column + 1);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(mark, tag == "?" ? "" : tag, anchor);
    tree_.begin(Kind::List, mark.line + 1, mark.column + 1);
  }
  void OnSequenceEnd() override { tree_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(mark, tag == "?" ? "" : tag, anchor);
    tree_.begin(Kind::Map, mark.line + 1, mark.column + 1);
  }
  void OnMapEnd() override { tree_.end(); }

 private:
  static void check(const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) {
    if (anchor != 0) refuse_anchors(mark);
    if (tag.empty()) return;
    TreeBuilder::refuse(
        mark.line + 1, mark.column + 1,
        fmt::format("the tag '{}' is not supported: write the value without it", printable(tag)));
  }
  [[noreturn]] static void refuse_anchors(const YAML::Mark& mark) {
    TreeBuilder::refuse(
        mark.line + 1, mark.column + 1,
        "anchors and aliases (&name, *name) are not supported: write the value out");
  }

  TreeBuilder& tree_;
};

tl::expected<SpecNode, SpecProblem> parse_yaml(std::string_view text) {
  // To the library it is an escape, in a text without quotation marks.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const std::string_view before = text.substr(0, nul);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = nul - (before.rfind('\n') + 1) + 1;
    return tl::unexpected(problem_at(static_cast<int>(line), static_cast<int>(column),
                                     "a NUL character, which YAML has not"));
  }
  TreeBuilder tree;
  YamlHandler handler(tree);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(handler) || !tree.has_root()) {
      return tl::unexpected(problem_at(0, 0, "the job spec is empty"));
    }
    SpecNode root = tree.take();
    TreeBuilder rest;
    YamlHandler after(rest);
    if (parser.HandleNextDocument(after)) {
      return tl::unexpected(problem_at(0, 0, "more than one document (---): give one job a text"));
    }
    return root;
  } catch (const Refused& refused) {
    return tl::unexpected(refused.problem);
  } catch (const YAML::Exception& wrong) {
    const bool placed = !wrong.mark.is_null();
    return tl::unexpected(problem_at(placed ? wrong.mark.line + 1 : 0,
                                     placed ? wrong.mark.column + 1 : 0,
                                     "not YAML: " + printable(wrong.msg)));
  }
}

/// Reads bytes and counts them, so that the parser's callbacks know where they are.
class CountingBytes {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingBytes(const char* at, std::size_t* count) : at_(at), count_(count) {}
  const char& operator*() const { return *at_; }
  CountingBytes& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  bool operator==(const CountingBytes& other) const { return at_ == other.at_; }
  bool operator!=(const CountingBytes& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

/// Knows the line and column of each token: it begins after the last one's end and what stands
/// between tokens.
class JsonHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonHandler(TreeBuilder& tree, std::string_view text) : tree_(tree), text_(text) {}

  std::size_t* count() { return &read_; }

  bool null() override { return scalar(Kind::Null, "null"); }
  bool boolean(bool value) override { return scalar(Kind::Bool, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return scalar(Kind::Number, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return scalar(Kind::Number, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return scalar(Kind::Number, text);
  }
  bool string(string_t& text) override { return scalar(Kind::String, std::move(text)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return begin(Kind::Map); }
  bool start_array(std::size_t) override { return begin(Kind::List); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool key(string_t& name) override {
    advance();
    tree_.key(std::move(name), line_, column_);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& wrong) override {
    go_to(position == 0 ? 0 : position - 1);
    // The library's message repeats the place in its own words before the last of its colons.
    const std::string_view message = wrong.what();
    const std::size_t cut = message.find(": ");
    TreeBuilder::refuse(
        line_, column_,
        "not JSON: " +
            printable(cut == std::string_view::npos ? message : message.substr(cut + 2)));
  }

 private:
  void go_to(std::size_t offset) {
    for (; at_ < std::min(offset, text_.size()); ++at_) {
      if (text_[at_] == '\n') {
        ++line_;
        column_ = 0;
      }
      ++column_;
    }
  }

  void advance() {
    go_to(std::max(at_, token_end_));
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n,:]}").find(text_[at_]) != std::string_view::npos) {
      go_to(at_ + 1);
    }
    token_end_ = read_;
  }

  bool scalar(Kind kind, std::string text) {
    advance();
    tree_.scalar(kind, std::move(text), line_, column_);
    return true;
  }
  bool begin(Kind kind) {
    advance();
    tree_.begin(kind, line_, column_);
    return true;
  }
  bool end() {
    tree_.end();
    token_end_ = read_;
    return true;
  }

  TreeBuilder& tree_;
  std::string_view text_;
  std::size_t read_ = 0;       // bytes the parser has taken
  std::size_t token_end_ = 0;  // where the last token ended; a number's end is one too far
  std::size_t at_ = 0;         // line_ and column_ are those of this byte
  int line_ = 1;
  int column_ = 1;
};

tl::expected<SpecNode, SpecProblem> parse_json(std::string_view text) {
  TreeBuilder tree;
  JsonHandler handler(tree, text);
  try {
    std::size_t unused = 0;
    nlohmann::json::sax_parse(CountingBytes(text.data(), handler.count()),
                              CountingBytes(text.data() + text.size(), &unused), &handler);
    return tree.take();
  } catch (const Refused& refused) {
    return tl::unexpected(refused.problem);
  }
}

}  // namespace

SpecNode::Kind plain_scalar_kind(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return Kind::Null;
  }
  for (const std::string_view word : {"true", "True", "TRUE", "false", "False", "FALSE"}) {
    if (text == word) return Kind::Bool;
  }
  // JSON's grammar of numbers: what else looks like one (0x10, 012, .5) is text, not a guess.
  std::size_t at = text[0] == '-' ? 1 : 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  const bool zero_first = at < text.size() && text[at] == '0';
  const std::size_t whole = digits();
  if (whole == 0 || (zero_first && whole > 1)) return Kind::String;
  if (at < text.size() && text[at] == '.' && (++at, digits() == 0)) return Kind::String;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return Kind::String;
  }
  return at == text.size() ? Kind::Number : Kind::String;
}

bool has(const SpecNode& map, std::string_view name) {
  return std::any_of(map.keys.begin(), map.keys.end(),
                     [name](const SpecNode::Key& key) { return key.name == name; });
}

std::string found(const SpecNode& node) {
  switch (node.kind) {
    case SpecNode::Kind::Null:
      return "nothing";
    case SpecNode::Kind::Bool:
      return node.text;
    case SpecNode::Kind::Number:
      return "the number " + printable(node.text);
    case SpecNode::Kind::String:
      return "the text '" + printable(node.text) + "'";
    case SpecNode::Kind::List:
      return "a list";
    case SpecNode::Kind::Map:
      return "a map";
  }
  return "";
}

bool is_scalar(const SpecNode& node) {
  return node.kind == Kind::Bool || node.kind == Kind::Number || node.kind == Kind::String;
}

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !name.empty() && letter(name[0]) && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool is_line(const SpecNode& node) {
  return node.kind == SpecNode::Kind::String && !node.text.empty() &&
         node.text.size() <= kNameBytesMax && node.text.find('\n') == std::string::npos;
}

tl::expected<SpecNode, SpecProblem> parse_spec_tree(std::string_view text, SpecFormat format) {
  if (text.size() > kSpecBytesMax) {
    return tl::unexpected(problem_at(
        0, 0, fmt::format("{} bytes long; a job spec has at most {}", text.size(), kSpecBytesMax)));
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return tl::unexpected(problem_at(0, 0, "not UTF-8 text: save it as UTF-8"));
  }
  if (format == SpecFormat::Json) return parse_json(text);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (format == SpecFormat::Auto && first != std::string_view::npos && text[first] == '{') {
    auto json = parse_json(text);
    if (json) return json;
    auto yaml = parse_yaml(text);  // which may begin like that too
    return yaml ? yaml : json;
  }
  return parse_yaml(text);
}

}  // namespace gyre::codec
