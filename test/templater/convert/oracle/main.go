// The oracle of the corpus: renders each template with Go's own text/template and with consul-template's functions as it
// documents them, on data.json, and writes what comes out beside it. Only needed when the corpus changes:
//
//	go run ./test/templater/convert/oracle test/templater/convert/data.json test/templater/convert/corpus/*.ctmpl
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/template"
)

type pair struct {
	Path, Key, Value                           string
	Flags, CreateIndex, ModifyIndex, LockIndex uint64
	Session                                    string
}

type instance struct {
	ID, Name, Address, Node, NodeID, NodeAddress, NodeDatacenter, Status, Namespace string
	Port                                                                            int
	Tags                                                                            []string
	ServiceMeta, NodeMeta                                                           map[string]string
	Meta                                                                            map[string]string `json:"Meta"`
}

type node struct {
	ID, Node, Address, Datacenter string
	Meta, TaggedAddresses         map[string]string
}

type nodeService struct {
	ID, Service, Address string
	Port                 int
	Tags                 []string
	Meta                 map[string]string
}

type nodeServices struct {
	Node     *node
	Services []nodeService
}

type snippet struct {
	Name string
	Tags []string
}

type data struct {
	KV       map[string]any         `json:"kv"`
	Services map[string][]*instance `json:"services"`
	Nodes    []*node                `json:"nodes"`
	pairs    []*pair
	scratch  map[string]any
}

func (d *data) flatten(prefix string, tree map[string]any) {
	for name, value := range tree {
		if inner, ok := value.(map[string]any); ok {
			d.flatten(prefix+name+"/", inner)
		} else {
			d.pairs = append(d.pairs, &pair{Path: prefix + name, Key: prefix + name, Value: fmt.Sprint(value)})
		}
	}
}

func (d *data) find(path string) *pair {
	for _, each := range d.pairs {
		if each.Path == path {
			return each
		}
	}
	return nil
}

func (d *data) key(path string) (string, error) {
	if found := d.find(path); found != nil {
		return found.Value, nil
	}
	return "", fmt.Errorf("no key %s", path)
}

func (d *data) tree(path string) []*pair {
	prefix := strings.TrimSuffix(path, "/") + "/"
	found := []*pair{}
	for _, each := range d.pairs {
		if strings.HasPrefix(each.Path, prefix) {
			found = append(found, &pair{Path: each.Path, Key: strings.TrimPrefix(each.Path, prefix), Value: each.Value})
		}
	}
	return found
}

func (d *data) ls(path string) []*pair {
	found := []*pair{}
	for _, each := range d.tree(path) {
		if !strings.Contains(each.Key, "/") {
			found = append(found, each)
		}
	}
	return found
}

func (d *data) service(words ...string) ([]*instance, error) {
	query := strings.Join(words, "|")
	query, filter, _ := strings.Cut(query, "|")
	tag := ""
	if before, after, ok := strings.Cut(query, "."); ok {
		tag, query = before, after
	}
	found := []*instance{}
	for _, each := range d.Services[query] {
		healthy := each.Status == "passing" && filter == "" || filter == "any" || filter != "" && strings.Contains(","+filter+",", ","+each.Status+",")
		if healthy && (tag == "" || has(each.Tags, tag)) {
			found = append(found, each)
		}
	}
	return found, nil
}

func has(list []string, word string) bool {
	for _, each := range list {
		if each == word {
			return true
		}
	}
	return false
}

func (d *data) services(...string) []*snippet {
	found := []*snippet{}
	for name, list := range d.Services {
		tags := map[string]bool{}
		for _, each := range list {
			for _, tag := range each.Tags {
				tags[tag] = true
			}
		}
		found = append(found, &snippet{Name: name, Tags: sorted(tags)})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

func (d *data) node(words ...string) *nodeServices {
	name := strings.Join(words, "")
	for _, each := range d.Nodes {
		if each.Node != name {
			continue
		}
		found := &nodeServices{Node: each}
		for _, snippet := range d.services() {
			for _, one := range d.Services[snippet.Name] {
				if one.Node == name {
					found.Services = append(found.Services, nodeService{ID: one.ID, Service: snippet.Name, Address: one.Address, Port: one.Port, Tags: one.Tags, Meta: one.Meta})
				}
			}
		}
		return found
	}
	return nil
}

func sorted[T any](set map[string]T) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func byKey(pairs []*pair) map[string]map[string]*pair {
	groups := map[string]map[string]*pair{}
	for _, each := range pairs {
		top, rest, _ := strings.Cut(each.Key, "/")
		if groups[top] == nil {
			groups[top] = map[string]*pair{}
		}
		copied := *each
		copied.Key = rest
		groups[top][rest] = &copied
	}
	return groups
}

func byTag(in any) (map[string][]any, error) {
	groups := map[string][]any{}
	switch list := in.(type) {
	case []*instance:
		for _, each := range list {
			for _, tag := range each.Tags {
				groups[tag] = append(groups[tag], each)
			}
		}
	case []*snippet:
		for _, each := range list {
			for _, tag := range each.Tags {
				groups[tag] = append(groups[tag], each)
			}
		}
	default:
		return nil, fmt.Errorf("byTag of %T", in)
	}
	return groups, nil
}

func byMeta(meta string, list []*instance) map[string][]*instance {
	groups := map[string][]*instance{}
	for _, each := range list {
		parts := []string{}
		for _, word := range strings.Split(meta, ",") {
			name, kind, _ := strings.Cut(strings.TrimSpace(word), "|")
			value := each.ServiceMeta[name]
			if number, err := strconv.Atoi(value); kind == "int" && err == nil {
				value = fmt.Sprintf("%05d", number)
			}
			parts = append(parts, value)
		}
		key := strings.Join(parts, "_")
		groups[key] = append(groups[key], each)
	}
	return groups
}

func byPort(list []*instance) map[int][]*instance {
	groups := map[int][]*instance{}
	for _, each := range list {
		groups[each.Port] = append(groups[each.Port], each)
	}
	return groups
}

func put(into map[string]any, path string, value any) {
	head, rest, deeper := strings.Cut(strings.Trim(path, "/"), "/")
	if !deeper {
		into[head] = value
		return
	}
	inner, ok := into[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		into[head] = inner
	}
	put(inner, rest, value)
}

func explode(pairs []*pair) map[string]any {
	all := map[string]any{}
	for _, each := range pairs {
		put(all, each.Key, each.Value)
	}
	return all
}

func explodeMap(in map[string]any) map[string]any {
	all := map[string]any{}
	for _, name := range sorted(in) {
		put(all, name, in[name])
	}
	return all
}

func merge(low, high map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range low {
		all[name] = value
	}
	for name, value := range high {
		inner, isMap := value.(map[string]any)
		below, wasMap := all[name].(map[string]any)
		if isMap && wasMap {
			all[name] = merge(below, inner)
		} else {
			all[name] = value
		}
	}
	return all
}

func in(list, value any) (bool, error) {
	if text, ok := list.(string); ok {
		return strings.Contains(text, fmt.Sprint(value)), nil
	}
	all := reflect.ValueOf(list)
	if !all.IsValid() {
		return false, nil
	}
	for i := 0; i < all.Len(); i++ {
		if all.Index(i).Interface() == value {
			return true, nil
		}
	}
	return false, nil
}

func count(values []any, list any) int {
	found := 0
	for _, each := range values {
		if is, _ := in(list, each); is {
			found++
		}
	}
	return found
}

func loop(bounds ...any) ([]int64, error) {
	from, to := int64(0), int64(0)
	read := func(value any) int64 { number, _ := whole(value); return number }
	if len(bounds) == 1 {
		to = read(bounds[0])
	} else {
		from, to = read(bounds[0]), read(bounds[1])
	}
	rounds := []int64{}
	for ; from < to; from++ {
		rounds = append(rounds, from)
	}
	return rounds, nil
}

func whole(value any) (int64, bool) {
	switch number := reflect.ValueOf(value); number.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return number.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(number.Uint()), true
	case reflect.String:
		parsed, err := strconv.ParseInt(number.String(), 10, 64)
		return parsed, err == nil
	}
	return 0, false
}

func arithmetic(exact func(a, b int64) int64, float func(a, b float64) float64) any {
	return func(b, a any) (any, error) {
		left, isLeft := whole(a)
		right, isRight := whole(b)
		if isLeft && isRight {
			return exact(left, right), nil
		}
		return float(reflect.ValueOf(a).Convert(reflect.TypeOf(0.0)).Float(), reflect.ValueOf(b).Convert(reflect.TypeOf(0.0)).Float()), nil
	}
}

func encode(value any, html, pretty bool) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(html)
	if pretty {
		encoder.SetIndent("", "  ")
	}
	err := encoder.Encode(value)
	return strings.TrimSuffix(out.String(), "\n"), err
}

func parseJSON(text string) (any, error) {
	if text == "" {
		return map[string]any{}, nil
	}
	var value any
	err := json.Unmarshal([]byte(text), &value)
	return value, err
}

func indent(spaces int, text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.TrimSuffix(line, "\n") != "" {
			lines[i] = strings.Repeat(" ", spaces) + line
		}
	}
	return strings.Join(lines, "")
}

type scratch struct{ values map[string]any }

func (s *scratch) Get(name string) any               { return s.values[name] }
func (s *scratch) Set(name string, value any) string { s.values[name] = value; return "" }

func (d *data) functions(tmpl *template.Template) template.FuncMap {
	aside := &scratch{map[string]any{}}
	pick := func(less bool) any {
		return func(b, a int64) int64 {
			if (a < b) == less {
				return a
			}
			return b
		}
	}
	return template.FuncMap{
		"key":       d.key,
		"keyExists": func(path string) bool { return d.find(path) != nil },
		"keyOrDefault": func(path, otherwise string) string {
			value, _ := d.key(path)
			if value == "" {
				return otherwise
			}
			return value
		},
		"ls":          d.ls,
		"safeLs":      d.ls,
		"tree":        d.tree,
		"safeTree":    d.tree,
		"service":     d.service,
		"services":    d.services,
		"nodes":       func(...string) []*node { return d.Nodes },
		"node":        d.node,
		"datacenters": func() []string { return []string{"dc1"} },
		"env":         os.Getenv,
		"envOrDefault": func(name, otherwise string) string {
			if value := os.Getenv(name); value != "" {
				return value
			}
			return otherwise
		},
		"mustEnv":              os.Getenv,
		"file":                 func(path string) (string, error) { bytes, err := os.ReadFile(path); return string(bytes), err },
		"byKey":                byKey,
		"byTag":                byTag,
		"byMeta":               byMeta,
		"byPort":               byPort,
		"explode":              explode,
		"explodeMap":           explodeMap,
		"mergeMap":             func(first, second map[string]any) map[string]any { return merge(second, first) },
		"mergeMapWithOverride": func(first, second map[string]any) map[string]any { return merge(first, second) },
		"contains":             func(value, list any) (bool, error) { return in(list, value) },
		"containsAll":          func(values []any, list any) bool { return count(values, list) == len(values) },
		"containsAny":          func(values []any, list any) bool { return count(values, list) > 0 },
		"containsNone":         func(values []any, list any) bool { return count(values, list) == 0 },
		"containsNotAll":       func(values []any, list any) bool { return count(values, list) < len(values) },
		"in":                   in,
		"loop":                 loop,
		"join":                 func(between string, list []string) string { return strings.Join(list, between) },
		"split": func(between, text string) []string {
			text = strings.TrimSpace(text)
			if text == "" {
				return []string{}
			}
			return strings.Split(text, between)
		},
		"splitToMap": func(between, sign, text string) map[string]string {
			all := map[string]string{}
			for _, part := range strings.Split(strings.TrimSpace(text), between) {
				name, value, _ := strings.Cut(part, sign)
				all[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
			return all
		},
		"trim":       func(cut, text string) string { return strings.Trim(text, cut) },
		"trimPrefix": func(prefix, text string) string { return strings.TrimPrefix(text, prefix) },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"trimSpace":  strings.TrimSpace,
		"indent":     indent,
		"replaceAll": func(from, to, text string) string { return strings.ReplaceAll(text, from, to) },
		"regexMatch": func(expression, text string) (bool, error) { return regexp.MatchString(expression, text) },
		"regexReplaceAll": func(expression, to, text string) string {
			return regexp.MustCompile(expression).ReplaceAllString(text, to)
		},
		"toLower":               strings.ToLower,
		"toUpper":               strings.ToUpper,
		"toTitle":               strings.Title,
		"parseBool":             strconv.ParseBool,
		"parseFloat":            func(text string) (float64, error) { return strconv.ParseFloat(text, 64) },
		"parseInt":              func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) },
		"parseUint":             func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) },
		"parseJSON":             parseJSON,
		"toJSON":                func(value any) (string, error) { return encode(value, true, false) },
		"toJSONPretty":          func(value any) (string, error) { return encode(value, true, true) },
		"toUnescapedJSON":       func(value any) (string, error) { return encode(value, false, false) },
		"toUnescapedJSONPretty": func(value any) (string, error) { return encode(value, false, true) },
		"base64Encode":          func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		"base64Decode": func(text string) (string, error) {
			bytes, err := base64.StdEncoding.DecodeString(text)
			return string(bytes), err
		},
		"base64URLEncode": func(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) },
		"base64URLDecode": func(text string) (string, error) {
			bytes, err := base64.URLEncoding.DecodeString(text)
			return string(bytes), err
		},
		"sha256Hex": func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) },
		"md5sum":    func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) },
		"hmacSHA256Hex": func(message, key string) string {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(message))
			return hex.EncodeToString(mac.Sum(nil))
		},
		"add":      arithmetic(func(a, b int64) int64 { return a + b }, func(a, b float64) float64 { return a + b }),
		"subtract": arithmetic(func(a, b int64) int64 { return a - b }, func(a, b float64) float64 { return a - b }),
		"multiply": arithmetic(func(a, b int64) int64 { return a * b }, func(a, b float64) float64 { return a * b }),
		"divide":   arithmetic(func(a, b int64) int64 { return a / b }, func(a, b float64) float64 { return a / b }),
		"modulo":   func(b, a int64) int64 { return a % b },
		"minimum":  pick(true),
		"maximum":  pick(false),
		"scratch":  func() *scratch { return aside },
		"executeTemplate": func(name string, values ...any) (string, error) {
			var out bytes.Buffer
			var dot any
			if len(values) > 0 {
				dot = values[0]
			}
			err := tmpl.ExecuteTemplate(&out, name, dot)
			return out.String(), err
		},
	}
}

func main() {
	d := &data{}
	content, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(content, d))
	d.flatten("", d.KV)
	sort.Slice(d.pairs, func(i, j int) bool { return d.pairs[i].Path < d.pairs[j].Path })
	for name, list := range d.Services {
		for _, each := range list {
			each.Name, each.ServiceMeta = name, each.Meta
		}
	}
	for _, name := range []string{"APP_EMPTY", "APP_NONE"} {
		os.Unsetenv(name)
	}
	os.Setenv("APP_ENV", "prod")
	os.Setenv("APP_PORT", "8080")
	for _, file := range os.Args[2:] {
		source, err := os.ReadFile(file)
		check(err)
		tmpl := template.New(file)
		tmpl.Funcs(d.functions(tmpl))
		_, err = tmpl.Parse(string(source))
		check(err)
		var out bytes.Buffer
		if err := tmpl.Execute(&out, nil); err != nil {
			fmt.Fprintln(os.Stderr, file, err)
			continue
		}
		if strings.Contains(out.String(), "<no value>") {
			fmt.Fprintln(os.Stderr, file, "prints <no value>")
		}
		check(os.WriteFile(strings.TrimSuffix(file, ".ctmpl")+".out", out.Bytes(), 0o644))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
