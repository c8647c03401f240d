// The operators of the recording host: enough of LibTorch's meaning, on vectors of doubles, to test what
// plugins compute. f32 results are rounded to float, as LibTorch's would be.
#include <cmath>
#include <limits>
#include <stdexcept>

#include <grapnel/testkit/recording_host.h>

namespace grapnel::testkit {
namespace {

using Values = std::vector<FakeTensorPtr>;

/// Reads arguments in order; throws std::invalid_argument, the fake's LibTorch error.
class Arguments {
 public:
  Arguments(RecordingHost& host, const grapnel_value* values, std::uint64_t count)
      : host_(host), values_(values), count_(count) {}

  FakeTensor& tensor() { return *tensor_ptr(); }
  FakeTensorPtr tensor_ptr() {
    const grapnel_value& value = next(GRAPNEL_VALUE_TENSOR);
    if (!host_.knows(value.u.tensor)) throw std::invalid_argument("an unknown handle");
    return RecordingHost::tensor(value.u.tensor);
  }
  Values list() {
    const grapnel_value& value = next(GRAPNEL_VALUE_TENSOR_LIST);
    Values tensors;
    for (std::uint64_t i = 0; i < value.size; ++i) {
      if (!host_.knows(value.u.tensors[i])) throw std::invalid_argument("an unknown handle");
      tensors.push_back(RecordingHost::tensor(value.u.tensors[i]));
    }
    return tensors;
  }
  double number(std::optional<double> fallback = {}) {
    if (at_ == count_ && fallback) return *fallback;
    if (at_ == count_) throw std::invalid_argument("too few arguments");
    const grapnel_value& value = values_[at_++];
    if (value.tag == GRAPNEL_VALUE_F64) return value.u.f64;
    if (value.tag == GRAPNEL_VALUE_I64) return static_cast<double>(value.u.i64);
    throw std::invalid_argument("a number was expected");
  }
  std::int32_t dtype() { return static_cast<std::int32_t>(next(GRAPNEL_VALUE_DTYPE).u.i64); }

 private:
  const grapnel_value& next(std::int32_t tag) {
    if (at_ == count_) throw std::invalid_argument("too few arguments");
    const grapnel_value& value = values_[at_++];
    if (value.tag != tag) throw std::invalid_argument("an argument of another type was expected");
    return value;
  }

  RecordingHost& host_;
  const grapnel_value* values_;
  std::uint64_t count_;
  std::uint64_t at_ = 0;
};

double rounded(double value, std::int32_t dtype) {
  if (dtype == GRAPNEL_DTYPE_F32) return static_cast<float>(value);
  if (dtype == GRAPNEL_DTYPE_I64 || dtype == GRAPNEL_DTYPE_I32) return std::trunc(value);
  return value;
}

FakeTensorPtr map(const FakeTensor& in, const std::function<double(double)>& function) {
  auto out = std::make_shared<FakeTensor>();
  out->dtype = in.dtype;
  out->sizes = in.sizes;
  for (const double value : in.values) out->values.push_back(rounded(function(value), in.dtype));
  return out;
}

void map_in_place(FakeTensor& tensor, const std::function<double(double)>& function) {
  for (double& value : tensor.values) value = rounded(function(value), tensor.dtype);
}

void zip_in_place(FakeTensor& tensor, const FakeTensor& other,
                  const std::function<double(double, double)>& function) {
  const bool scalar = other.values.size() == 1;
  if (!scalar && other.values.size() != tensor.values.size()) {
    throw std::invalid_argument("the shapes do not match");
  }
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    tensor.values[i] =
        rounded(function(tensor.values[i], other.values[scalar ? 0 : i]), tensor.dtype);
  }
}

double norm(const FakeTensor& tensor, double p) {
  double sum = 0;
  for (const double value : tensor.values) {
    const double magnitude = std::abs(value);
    if (std::isnan(magnitude)) return magnitude;
    sum = std::isinf(p) ? std::max(sum, magnitude) : sum + std::pow(magnitude, p);
  }
  return std::isinf(p) ? sum : std::pow(sum, 1 / p);
}

FakeTensorPtr reduce(const FakeTensor& in, double start,
                     const std::function<double(double, double)>& f) {
  double result = start;
  for (const double value : in.values) result = std::isnan(result) ? result : f(result, value);
  return FakeTensor::scalar(rounded(result, in.dtype), in.dtype);
}

using Operator = std::function<Values(Arguments&)>;
constexpr double infinity = std::numeric_limits<double>::infinity();
double nan_or(double result, double value) {
  return std::isnan(value) ? value : result;
}

const std::map<std::string, Operator, std::less<>>& operators() {
  static const std::map<std::string, Operator, std::less<>> table = {
      {"aten::clone",  // on the same device
       [](Arguments& a) { return Values{std::make_shared<FakeTensor>(a.tensor())}; }},
      {"aten::detach", [](Arguments& a) { return Values{a.tensor_ptr()}; }},
      {"aten::coalesce", [](Arguments& a) { return Values{a.tensor_ptr()}; }},
      {"aten::_values", [](Arguments& a) { return Values{a.tensor_ptr()}; }},
      {"aten::to.dtype",
       [](Arguments& a) {
         FakeTensor copy = a.tensor();
         copy.dtype = a.dtype();
         map_in_place(copy, [](double x) { return x; });
         return Values{std::make_shared<FakeTensor>(copy)};
       }},
      {"aten::zeros_like",
       [](Arguments& a) { return Values{map(a.tensor(), [](double) { return 0.; })}; }},
      {"aten::abs",
       [](Arguments& a) { return Values{map(a.tensor(), [](double x) { return std::abs(x); })}; }},
      {"aten::square",
       [](Arguments& a) { return Values{map(a.tensor(), [](double x) { return x * x; })}; }},
      {"aten::reciprocal_",
       [](Arguments& a) {
         map_in_place(a.tensor(), [](double x) { return 1 / x; });
         return Values{};
       }},
      {"aten::clamp_max_",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double most = a.number();
         map_in_place(tensor, [=](double x) { return std::min(x, most); });
         return Values{};
       }},
      {"aten::add.Tensor",
       [](Arguments& a) {
         auto sum = std::make_shared<FakeTensor>(a.tensor());
         const FakeTensor other = a.tensor();
         const double alpha = a.number(1);
         zip_in_place(*sum, other, [=](double x, double y) { return x + alpha * y; });
         return Values{sum};
       }},
      {"aten::mul.Tensor",
       [](Arguments& a) {
         auto product = std::make_shared<FakeTensor>(a.tensor());
         zip_in_place(*product, a.tensor(), [](double x, double y) { return x * y; });
         return Values{product};
       }},
      {"aten::mul.Scalar",
       [](Arguments& a) {
         const FakeTensor& tensor = a.tensor();
         const double value = a.number();
         return Values{map(tensor, [=](double x) { return x * value; })};
       }},
      {"aten::sqrt",
       [](Arguments& a) { return Values{map(a.tensor(), [](double x) { return std::sqrt(x); })}; }},
      {"aten::isfinite",
       [](Arguments& a) {
         auto out = map(a.tensor(), [](double x) { return std::isfinite(x) ? 1. : 0.; });
         out->dtype = GRAPNEL_DTYPE_BOOL;
         return Values{out};
       }},
      {"aten::all",
       [](Arguments& a) {
         double all = 1;
         for (const double value : a.tensor().values) all = value != 0 ? all : 0;
         return Values{FakeTensor::scalar(all, GRAPNEL_DTYPE_BOOL)};
       }},
      {"aten::sum",
       [](Arguments& a) {
         return Values{reduce(a.tensor(), 0, [](double x, double y) { return x + y; })};
       }},
      {"aten::mean",
       [](Arguments& a) {
         const FakeTensor& in = a.tensor();
         auto sum = reduce(in, 0, [](double x, double y) { return x + y; });
         sum->values[0] /= static_cast<double>(in.values.size());
         return Values{sum};
       }},
      {"aten::max",
       [](Arguments& a) {
         return Values{reduce(a.tensor(), -infinity,
                              [](double x, double y) { return nan_or(std::max(x, y), y); })};
       }},
      {"aten::min",
       [](Arguments& a) {
         return Values{reduce(a.tensor(), infinity,
                              [](double x, double y) { return nan_or(std::min(x, y), y); })};
       }},
      {"aten::linalg_vector_norm",
       [](Arguments& a) {
         const FakeTensor& in = a.tensor();
         return Values{FakeTensor::scalar(rounded(norm(in, a.number(2)), in.dtype), in.dtype)};
       }},
      {"aten::stack",
       [](Arguments& a) {
         auto out = std::make_shared<FakeTensor>();
         for (const auto& scalar : a.list()) {
           out->dtype = scalar->dtype;
           out->values.push_back(scalar->values.at(0));
         }
         out->sizes = {static_cast<std::int64_t>(out->values.size())};
         return Values{out};
       }},
      {"aten::zero_",
       [](Arguments& a) {
         map_in_place(a.tensor(), [](double) { return 0.; });
         return Values{};
       }},
      {"aten::fill_.Scalar",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double value = a.number();
         map_in_place(tensor, [=](double) { return value; });
         return Values{};
       }},
      {"aten::copy_",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         zip_in_place(tensor, a.tensor(), [](double, double y) { return y; });
         return Values{};
       }},
      {"aten::add_.Tensor",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const FakeTensor other = a.tensor();
         const double alpha = a.number(1);
         zip_in_place(tensor, other, [=](double x, double y) { return x + alpha * y; });
         return Values{};
       }},
      {"aten::sub_.Tensor",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const FakeTensor other = a.tensor();
         const double alpha = a.number(1);
         zip_in_place(tensor, other, [=](double x, double y) { return x - alpha * y; });
         return Values{};
       }},
      {"aten::mul_.Tensor",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         zip_in_place(tensor, a.tensor(), [](double x, double y) { return x * y; });
         return Values{};
       }},
      {"aten::add_.Scalar",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double value = a.number();
         map_in_place(tensor, [=](double x) { return x + value; });
         return Values{};
       }},
      {"aten::mul_.Scalar",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double value = a.number();
         map_in_place(tensor, [=](double x) { return x * value; });
         return Values{};
       }},
      {"aten::div_.Scalar",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double value = a.number();
         map_in_place(tensor, [=](double x) { return x / value; });
         return Values{};
       }},
      {"aten::clamp_",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const double low = a.number();
         const double high = a.number();
         map_in_place(tensor, [=](double x) { return std::min(std::max(x, low), high); });
         return Values{};
       }},
      {"aten::lerp_.Scalar",
       [](Arguments& a) {
         FakeTensor& tensor = a.tensor();
         const FakeTensor end = a.tensor();
         const double weight = a.number();
         zip_in_place(tensor, end, [=](double x, double y) { return x + weight * (y - x); });
         return Values{};
       }},
      {"aten::_foreach_lerp_.Scalar",
       [](Arguments& a) {
         const Values targets = a.list();
         const Values ends = a.list();
         const double weight = a.number();
         if (targets.size() != ends.size())
           throw std::invalid_argument("lists of different lengths");
         for (std::size_t i = 0; i < targets.size(); ++i) {
           zip_in_place(*targets[i], *ends[i],
                        [=](double x, double y) { return x + weight * (y - x); });
         }
         return Values{};
       }},
      {"aten::_foreach_copy_",
       [](Arguments& a) {
         const Values targets = a.list();
         const Values sources = a.list();
         if (targets.size() != sources.size())
           throw std::invalid_argument("lists of different lengths");
         for (std::size_t i = 0; i < targets.size(); ++i) {
           zip_in_place(*targets[i], *sources[i], [](double, double y) { return y; });
         }
         return Values{};
       }},
      {"aten::_foreach_sub_.List",
       [](Arguments& a) {
         const Values targets = a.list();
         const Values others = a.list();
         if (targets.size() != others.size())
           throw std::invalid_argument("lists of different lengths");
         for (std::size_t i = 0; i < targets.size(); ++i) {
           zip_in_place(*targets[i], *others[i], [](double x, double y) { return x - y; });
         }
         return Values{};
       }},
      {"aten::_foreach_mul_.Scalar",
       [](Arguments& a) {
         const Values targets = a.list();
         const double factor = a.number();
         for (const auto& target : targets) {
           map_in_place(*target, [=](double x) { return x * factor; });
         }
         return Values{};
       }},
      {"aten::_foreach_norm.Scalar",
       [](Arguments& a) {
         const Values in = a.list();
         const double p = a.number(2);
         Values out;
         for (const auto& tensor : in) {
           out.push_back(
               FakeTensor::scalar(rounded(norm(*tensor, p), tensor->dtype), tensor->dtype));
         }
         return out;
       }},
  };
  return table;
}

}  // namespace

bool fake_aten_knows(std::string_view name) {
  return operators().count(std::string(name)) != 0;
}

std::int32_t fake_aten_call(RecordingHost& host, std::string_view name,
                            const grapnel_value* arguments, std::uint64_t count,
                            std::vector<grapnel_value>& results) {
  Values tensors;
  try {
    Arguments reader(host, arguments, count);
    tensors = operators().find(name)->second(reader);
  } catch (const std::exception&) {
    return GRAPNEL_PENDING;
  }
  const bool is_list = name.find("_foreach_") != std::string_view::npos;
  if (is_list) {
    host.result_list.clear();
    for (const auto& tensor : tensors) host.result_list.push_back(host.new_handle(tensor));
    grapnel_value list{};
    list.tag = GRAPNEL_VALUE_TENSOR_LIST;
    list.size = host.result_list.size();
    list.u.tensors = host.result_list.data();
    results.push_back(list);
    return GRAPNEL_OK;
  }
  for (const auto& tensor : tensors) {
    grapnel_value value{};
    value.tag = GRAPNEL_VALUE_TENSOR;
    value.u.tensor = host.new_handle(tensor);
    results.push_back(value);
  }
  return GRAPNEL_OK;
}

}  // namespace grapnel::testkit
