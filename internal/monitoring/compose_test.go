package monitoring

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/programtest"
)

// service is what the checks look at; a field that is not here is the compose file's own business.
type service struct {
	Image       string
	Build       any
	Environment map[string]string
	Command     []string
	Secrets     []string
	Volumes     []string
	Ports       []string
	Networks    []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
	Deploy      struct {
		Resources struct{ Limits map[string]any }
	}
}

type composition struct {
	Services                   map[string]service
	Networks, Volumes, Secrets map[string]map[string]any
}

func readComposition(text string) (c composition, err error) {
	return c, yaml.Unmarshal([]byte(text), &c)
}

// check returns what is wrong with a composition; there says whether a file stands in deploy.
func (c *composition) check(there func(path string) bool) (wrong []string) {
	for name, s := range c.Services {
		for _, w := range slices.Concat(s.check(), c.references(&s, there)) {
			wrong = append(wrong, name+": "+w)
		}
	}
	for name, s := range c.Secrets {
		if file, _ := s["file"].(string); !strings.HasPrefix(file, "./secrets/") {
			wrong = append(wrong, fmt.Sprintf("secret %s is in %q, not in ./secrets", name, file))
		}
	}
	return wrong
}

func (s *service) check() (wrong []string) {
	if _, tag, tagged := strings.Cut(s.Image, ":"); !tagged || tag == "latest" {
		wrong = append(wrong, "image "+s.Image+" has no version")
	}
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			wrong = append(wrong, "port "+port+" can be reached by others")
		}
	}
	if len(s.Healthcheck.Test) < 2 {
		wrong = append(wrong, "no healthcheck")
	}
	for _, limit := range []string{"cpus", "memory", "pids"} {
		if s.Deploy.Resources.Limits[limit] == nil {
			wrong = append(wrong, "no limit of "+limit)
		}
	}
	for name, value := range s.Environment {
		secret := strings.Contains(name, "PASSWORD") || strings.HasSuffix(name, "_KEY") || strings.Contains(name, "TOKEN")
		if secret && !strings.HasPrefix(value, "/run/secrets/") {
			wrong = append(wrong, name+" is no file of a secret")
		}
		if user, _, inURL := strings.Cut(value, "@"); inURL && strings.Count(user, ":") > 1 {
			wrong = append(wrong, name+" has a password in its URL")
		}
	}
	return wrong
}

// references finds names of secrets, volumes, networks, services and files that are not there.
func (c *composition) references(s *service, there func(string) bool) (wrong []string) {
	texts := slices.Concat(s.Command, s.Healthcheck.Test)
	for _, value := range s.Environment {
		texts = append(texts, value)
	}
	for _, text := range texts {
		if _, secret, is := strings.Cut(text, "/run/secrets/"); is && !slices.Contains(s.Secrets, secret) {
			wrong = append(wrong, "no secret "+secret+" is given to it")
		}
	}
	for _, name := range s.Secrets {
		if c.Secrets[name] == nil {
			wrong = append(wrong, "no secret "+name)
		}
	}
	for _, name := range s.Networks {
		if c.Networks[name] == nil {
			wrong = append(wrong, "no network "+name)
		}
	}
	for _, mount := range s.Volumes {
		from, _, _ := strings.Cut(mount, ":")
		if strings.HasPrefix(from, "./") && !there(from) || !strings.HasPrefix(from, "./") && c.Volumes[from] == nil {
			wrong = append(wrong, "no volume or file "+from)
		}
	}
	for name, on := range s.DependsOn {
		if other, ok := c.Services[name]; !ok || on.Condition != "service_healthy" || len(other.Healthcheck.Test) == 0 {
			wrong = append(wrong, "depends on "+name+", which is not there or is never found healthy")
		}
	}
	return wrong
}

func inDeploy(path string) bool {
	_, err := os.Stat(filepath.Join("..", "..", "deploy", filepath.FromSlash(path)))
	return err == nil
}

func TestComposition(t *testing.T) {
	text := read(t, "deploy/compose.yaml")
	c, err := readComposition(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.check(inDeploy) {
		t.Error(w)
	}
	for _, name := range []string{"holdfast", "postgres", "prometheus", "grafana"} {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("no service %s", name)
		}
	}
	// The check finds what is wrong in a wrong file.
	for spoiled, want := range map[string]string{
		strings.Replace(text, "postgres:17.6-bookworm", "postgres:latest", 1):                         "has no version",
		strings.Replace(text, `"127.0.0.1:9090:9090"`, `"9090:9090"`, 1):                              "can be reached by others",
		strings.Replace(text, "PASSWORD_FILE: /run/secrets/postgres.password", "PASSWORD: secret", 1): "is no file of a secret",
		strings.Replace(text, "holdfast@postgres", "holdfast:secret@postgres", 1):                     "a password in its URL",
		strings.Replace(text, "pgpass, health.key]", "pgpass]", 1):                                    "no secret health.key is given to it",
		strings.Replace(text, "./prometheus/alerts.yml:", "./prometheus/alert.yml:", 1):               "no volume or file ./prometheus/alert.yml",
		strings.Replace(text, "prometheus: {condition: service_healthy}", "loki: {}", 1):              "depends on loki",
		strings.Replace(text, "networks: [front, watch]", "networks: [front, wach]", 1):               "no network wach",
		strings.Replace(text, "file: ./secrets/key.pem", "file: /etc/key.pem", 1):                     "not in ./secrets",
		strings.Replace(text, `cpus: "1", memory: 512MiB`, `memory: 512MiB`, 1):                       "no limit of cpus",
	} {
		c, err := readComposition(spoiled)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.check(inDeploy), "; "); spoiled == text || !strings.Contains(got, want) {
			t.Errorf("%q is not found: %s", want, got)
		}
	}
}

// The cluster's composition is as sound as that of one node. Its nodes know themselves by the names under which the others reach them, ask each other
// and not themselves to join, have certificates of their own, and are asked by Prometheus.
func TestCompositionOfACluster(t *testing.T) {
	c, err := readComposition(read(t, "deploy/compose-cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.check(inDeploy) {
		t.Error(w)
	}
	prometheus := read(t, "deploy/prometheus/prometheus-cluster.yml")
	volumes := map[string]string{}
	for _, name := range []string{"n1", "n2", "n3"} {
		s, ok := c.Services[name]
		env := s.Environment
		if !ok || env["HOLDFAST_NODE_ID"] != name || env["HOLDFAST_ADVERTISE_PEER"] != name+":8082" || env["HOLDFAST_ADVERTISE_ADMIN"] != name+":8081" ||
			env["HOLDFAST_ADVERTISE_HTTP"] != name+":8080" || env["HOLDFAST_PEER_CERT"] != "/run/secrets/"+name+".crt" ||
			env["HOLDFAST_PEER_KEY"] != "/run/secrets/"+name+".key" || env["HOLDFAST_PEER_CA"] == "" {
			t.Errorf("%s: %v", name, env)
		}
		if joins := env["HOLDFAST_JOIN"]; (joins == "") != (name == "n1") || strings.Contains(joins, name+":") {
			t.Errorf("%s joins %q", name, joins)
		}
		for _, v := range s.Volumes {
			if other := volumes[v]; other != "" {
				t.Errorf("%s and %s share %s", name, other, v)
			}
			volumes[v] = name
		}
		if !strings.Contains(prometheus, `"`+name+`:8081"`) {
			t.Errorf("prometheus does not ask %s", name)
		}
	}
}

// secrets.sh makes every secret that the composition names, in a directory that nobody else can enter, and makes none again.
func TestSecretsAreMade(t *testing.T) {
	programtest.Find(t, "sh", "dash")
	programtest.Find(t, "openssl", "openssl")
	c, err := readComposition(read(t, "deploy/compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := readComposition(read(t, "deploy/compose-cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(c.Secrets, cluster.Secrets)
	dir := t.TempDir()
	// It stands for "holdfast keys new" and "holdfast cluster certs", whose own tests are elsewhere.
	const keys = `#!/bin/sh
if [ "$1 $2" = 'cluster certs' ]; then
	mkdir -p "$3" && echo an authority >>"$3/ca.key" && cp "$3/ca.key" "$3/ca.crt" && echo "$5" >"$3/node-$5.crt" && echo "$5" >"$3/node-$5.key"
else
	[ "$1 $2" = 'keys new' ] && echo a key >"$8" && echo "- {name: $4, role: $6}"
fi
`
	program, script := filepath.Join(dir, "holdfast"), filepath.Join(dir, "secrets.sh")
	if err := errors.Join(os.WriteFile(program, []byte(keys), 0o700), os.WriteFile(script, []byte(read(t, "deploy/secrets.sh")), 0o700)); err != nil {
		t.Fatal(err)
	}
	run := func(program string) (string, error) {
		cmd := exec.Command("sh", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOLDFAST="+program)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("./nowhere"); err == nil || !strings.Contains(out, "nowhere") {
		t.Errorf("without the program: %v %q", err, out)
	}
	made := map[string]string{}
	for _, path := range []string{"./holdfast", program} {
		if out, err := run(path); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for name, secret := range c.Secrets {
			file, _ := secret["file"].(string)
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil || len(b) == 0 || made[name] != "" && made[name] != string(b) {
				t.Errorf("%s: %d bytes, %v, or made again", name, len(b), err)
			}
			made[name] = string(b)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of the secrets: %v, %v", info.Mode(), err)
	}
	if !strings.Contains(made["pgpass"], made["holdfast.password"]) || made["postgres.password"] == made["grafana.password"] {
		t.Error("the passwords are not as they should be")
	}
}

// A variable of the node stands for a flag; one that no flag has would end the node.
func TestVariablesAreFlags(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "cmd", "holdfast", "cli", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	for _, file := range []string{"deploy/compose.yaml", "deploy/compose-cluster.yaml"} {
		c, err := readComposition(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, service := range c.Services {
			for name := range service.Environment {
				suffix, ours := strings.CutPrefix(name, "HOLDFAST_")
				flag := strings.ReplaceAll(strings.ToLower(suffix), "_", "-")
				if ours && !strings.Contains(source.String(), `"`+flag+`"`) {
					t.Errorf("%s: %s: there is no flag --%s", file, name, flag)
				}
				if ours {
					found++
				}
			}
		}
		if found == 0 {
			t.Errorf("%s sets nothing", file)
		}
	}
}

// Grafana finds the dashboard where the composition puts it, and its datasource by the service's name.
func TestProvisioning(t *testing.T) {
	compose := read(t, "deploy/compose.yaml")
	for _, want := range []struct{ file, text string }{
		{"deploy/grafana/provisioning/dashboards/holdfast.yaml", "path: /etc/grafana/dashboards\n"},
		{"deploy/grafana/provisioning/datasources/prometheus.yaml", "url: http://prometheus:9090\n"},
		{"deploy/compose.yaml", "./grafana/holdfast.json:/etc/grafana/dashboards/holdfast.json:ro"},
		{"deploy/compose.yaml", "./grafana/provisioning:/etc/grafana/provisioning:ro"},
		{"deploy/prometheus/prometheus.yml", `targets: ["holdfast:8081"]`},
	} {
		if !strings.Contains(read(t, want.file), want.text) {
			t.Errorf("%s does not say %q", want.file, want.text)
		}
	}
	var provider, datasources map[string]any
	for file, to := range map[string]*map[string]any{
		"deploy/grafana/provisioning/dashboards/holdfast.yaml": &provider, "deploy/grafana/provisioning/datasources/prometheus.yaml": &datasources,
	} {
		if err := yaml.Unmarshal([]byte(read(t, file)), to); err != nil || (*to)["apiVersion"] != 1 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if !strings.Contains(compose, "HOLDFAST_ADMIN: 0.0.0.0:8081") {
		t.Error("the node does not listen where Prometheus asks")
	}
}
