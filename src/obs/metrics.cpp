#include "obs/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace doorbuster::obs {
namespace {

using Labels = MetricsWriter::Labels;

constexpr std::array kBounds = {
    Duration(100),       Duration(250),       Duration(500),       Duration(1'000),
    Duration(2'500),     Duration(5'000),     Duration(10'000),    Duration(25'000),
    Duration(50'000),    Duration(100'000),   Duration(250'000),   Duration(500'000),
    Duration(1'000'000), Duration(2'500'000), Duration(5'000'000), Duration(10'000'000)};

void append_escaped(std::string& out, std::string_view text, bool quotes_too) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes_too) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_number(std::string& out, std::uint64_t number) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

void append_number(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "NaN";
  } else if (std::isinf(number)) {
    out += number > 0 ? "+Inf" : "-Inf";
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, number).ptr;
    out.append(text, end);
  }
}

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

template <class Number>
void append_sample(std::string& out, std::string_view name, std::string_view suffix, Labels labels,
                   std::string_view bound, Number value) {
  out.append(name).append(suffix);
  if (!labels.empty() || !bound.empty()) {
    char separator = '{';
    for (const auto& [label, text] : labels) {
      out += separator;
      out.append(label).append("=\"");
      append_escaped(out, text, true);
      out += '"';
      separator = ',';
    }
    if (!bound.empty()) {
      out += separator;
      out.append("le=\"").append(bound).append("\"");
    }
    out += '}';
  }
  out += ' ';
  append_number(out, value);
  out += '\n';
}

Labels view(MetricsWriter::LabelList labels) {
  return {labels.begin(), labels.size()};
}

}  // namespace

std::string& MetricsWriter::family(std::string_view name, std::string_view help, std::string_view type) {
  const auto found =
      std::find_if(families_.begin(), families_.end(), [&](const Family& each) { return each.name == name; });
  if (found != families_.end()) {
    DOORBUSTER_ASSERT(found->type == type);
    return found->samples;
  }
  families_.push_back({std::string(name), std::string(help), type, {}});
  return families_.back().samples;
}

void MetricsWriter::counter(std::string_view name, std::string_view help, std::uint64_t value,
                            LabelList labels) {
  append_sample(family(name, help, "counter"), name, {}, view(labels), {}, value);
}

void MetricsWriter::gauge(std::string_view name, std::string_view help, double value, LabelList labels) {
  append_sample(family(name, help, "gauge"), name, {}, view(labels), {}, value);
}

void MetricsWriter::histogram(std::string_view name, std::string_view help, const Histogram& histogram,
                              LabelList labels) {
  std::string& out = family(name, help, "histogram");
  const auto counts = histogram.counts_up_to(kBounds);
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    std::string bound;
    append_number(bound, in_seconds(kBounds[i]));
    append_sample(out, name, "_bucket", view(labels), bound, counts[i]);
  }
  append_sample(out, name, "_bucket", view(labels), "+Inf", histogram.count());
  append_sample(out, name, "_sum", view(labels), {}, in_seconds(histogram.sum()));
  append_sample(out, name, "_count", view(labels), {}, histogram.count());
}

void MetricsWriter::histogram(std::string_view name, std::string_view help, const SizeHistogram& histogram,
                              LabelList labels) {
  std::string& out = family(name, help, "histogram");
  for (std::size_t i = 0; i < SizeHistogram::kBounds; ++i) {
    std::string bound;
    append_number(bound, SizeHistogram::bound(i));
    append_sample(out, name, "_bucket", view(labels), bound, histogram.count_up_to(i));
  }
  append_sample(out, name, "_bucket", view(labels), "+Inf", histogram.count());
  append_sample(out, name, "_sum", view(labels), {}, histogram.sum());
  append_sample(out, name, "_count", view(labels), {}, histogram.count());
}

std::span<const Duration> MetricsWriter::default_bounds() {
  return kBounds;
}

std::string MetricsWriter::text() const {
  std::string out;
  for (const auto& each : families_) {
    out.append("# HELP ").append(each.name).append(" ");
    append_escaped(out, each.help, false);
    out.append("\n# TYPE ").append(each.name).append(" ").append(each.type).append("\n");
    out.append(each.samples);
  }
  return out;
}

/// One scrape on its way from owner to owner.
struct Registry::Round {
  Executor& home;
  Written done;
  MetricsWriter out;
  std::vector<Collector> elsewhere;  // those still to be asked, the next one last
};

void Registry::write(Executor& home, Written done) const {
  auto round = std::make_shared<Round>(Round{home, std::move(done), {}, {}});
  for (const auto& collector : collectors_) {
    if (collector.owner == nullptr || collector.owner == &home) {
      collector.collect(round->out);
    } else {
      round->elsewhere.push_back(collector);
    }
  }
  if (round->elsewhere.empty()) return round->done(std::move(round->out));
  go_on(std::move(round));
}

void Registry::go_on(std::shared_ptr<Round> round) {
  if (round->elsewhere.empty()) {
    Executor& home = round->home;
    return home.post([round = std::move(round)] { round->done(std::move(round->out)); });
  }
  auto next = std::move(round->elsewhere.back());
  round->elsewhere.pop_back();
  next.owner->post([round = std::move(round), collect = std::move(next.collect)]() mutable {
    collect(round->out);
    go_on(std::move(round));
  });
}

}  // namespace doorbuster::obs
